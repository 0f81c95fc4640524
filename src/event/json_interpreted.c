/* What values mean, as objects beside the values. */
#include <linux/audit.h>

#include "audit/record.h"
#include "event/json_records.h"
#include "event/record_view.h"

void xt_json_put_meanings(xt_json_writer *w, const xt_meanings *meanings)
{
    char separator = '{';
    for (uint32_t i = 0; i < meanings->group.n; i++) {
        const xt_json_item *item = &meanings->group.items[i];
        if (!item->is_first || !xt_meanings_say(meanings, i))
            continue;
        xt_json_writer_char(w, separator);
        separator = ',';
        xt_json_writer_string(w, item->name);
        xt_json_writer_char(w, ':');
        xt_json_put_values(w, &meanings->group, i);
    }
    if (separator == '{')
        xt_json_writer_char(w, '{');
    xt_json_writer_char(w, '}');
}

static const struct {
    const char *name;
    xt_field field;
} raw_fields[] = {{"arch", XT_F_ARCH}, {"syscall", XT_F_SYSCALL}};

bool xt_json_has_raw(const xt_event *event)
{
    char digits[24];
    xt_buf text = XT_BUF_ON(digits);
    return xt_interpretation_raw(event, XT_F_ARCH, &text);
}

void xt_json_put_raw(xt_json_writer *w, const xt_event *event)
{
    char separator = '{';
    for (size_t i = 0; i < XT_COUNT_OF(raw_fields); i++) {
        char digits[24];
        xt_buf text = XT_BUF_ON(digits);
        if (!xt_interpretation_raw(event, raw_fields[i].field, &text))
            continue;
        xt_json_writer_char(w, separator);
        separator = ',';
        xt_json_writer_string(w, xt_slice_str(raw_fields[i].name));
        xt_json_writer_char(w, ':');
        xt_json_writer_string(w, xt_buf_slice(&text));
    }
    xt_json_writer_char(w, '}');
}

/* A member of the object that is opened with the first. */
static void put_meaning(xt_json_writer *w, xt_interpretation *of, xt_slice name, xt_slice value, bool *has_any)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    if (!xt_interpretation_put(of, name, value, &text))
        return;
    xt_json_writer_raw(w, *has_any ? XT_S(",") : XT_S(",\"interpreted\":{"));
    *has_any = true;
    xt_json_writer_string(w, name);
    xt_json_writer_char(w, ':');
    xt_json_writer_string(w, xt_buf_slice(&text));
}

static xt_slice dec(uint64_t number, char digits[20])
{
    return xt_slice_of(digits, (size_t)(xt_json_text_dec(digits, number) - digits));
}

static void put_inode_meanings(xt_json_writer *w, xt_interpretation *of, const xt_path *path, bool *has_any)
{
    char text[XT_RECORD_NUMBER_TEXT];
    put_meaning(w, of, XT_S("dev"), xt_slice_of(text, xt_record_format_device(text, path->dev_major, path->dev_minor)),
                has_any);
    put_meaning(w, of, XT_S("mode"), xt_slice_of(text, xt_record_format_mode(text, path->mode)), has_any);
    put_meaning(w, of, XT_S("ouid"), dec(path->ouid, text), has_any);
    put_meaning(w, of, XT_S("ogid"), dec(path->ogid, text), has_any);
    put_meaning(w, of, XT_S("rdev"),
                xt_slice_of(text, xt_record_format_device(text, path->rdev_major, path->rdev_minor)), has_any);
}

#define MAX_REST 24 /* as many as are kept of a record (from_path.c) */

/* A name once only: not one of those before. */
static bool is_new(const xt_path *path, xt_slice name)
{
    static const char *const fixed[] = {"dev", "mode", "ouid", "ogid", "rdev"};
    xt_audit_field field;
    for (size_t i = 0; path->has_inode && i < XT_COUNT_OF(fixed); i++)
        if (xt_slice_eq(name, xt_slice_str(fixed[i])))
            return false;
    for (xt_slice rest = path->rest; xt_audit_field_next(&rest, &field) && field.name.p != name.p;)
        if (xt_slice_eq(field.name, name))
            return false;
    return true;
}

void xt_json_put_path_meanings(xt_json_writer *w, xt_interpretation *of, const xt_path *path)
{
    bool has_any = false;
    xt_audit_field field;
    if (path->has_inode)
        put_inode_meanings(w, of, path, &has_any);
    xt_slice rest = path->rest;
    for (int i = 0; i < MAX_REST && xt_audit_field_next(&rest, &field); i++)
        if (field.name.n > 0 && is_new(path, field.name))
            put_meaning(w, of, field.name, field.value, &has_any);
    if (has_any)
        xt_json_writer_char(w, '}');
}
