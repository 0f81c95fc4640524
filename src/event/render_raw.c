/*
 * RECORDS names every record in order, with the fields that no column holds. The fields of columns go to the record
 * that they came from: the system call's, or where there is none the first one of a kind that has such fields.
 */
#include "event/render_raw.h"

#include <inttypes.h>
#include <linux/audit.h>

#include "audit/names.h"
#include "audit/record.h"

typedef struct raw_event {
    const xt_event *event;
    xt_buf *out;
    xt_rec_iter iter; /* at the fields of the record being written */
    xt_path_iter paths;
    bool has_head, has_carrier, has_execve;
    size_t carrier, index; /* which record carries the columns; which is being written */
    bool is_login;         /* the record being written says itself whose login it is */
    bool first_field;      /* of the line, or inside of a quote: no space goes before it */
    bool is_named;         /* the record's first field is its type */
} raw_event;

static bool is_head(uint16_t type)
{
    return type == AUDIT_SYSCALL || type == AUDIT_URINGOP;
}

static void find_carrier(raw_event *raw)
{
    xt_rec_iter iter = xt_recs_iterate(xt_event_bytes(raw->event, XT_F_RECORDS));
    uint16_t type;

    for (size_t i = 0; !raw->has_head && xt_recs_next(&iter, &type); i++) {
        bool part = type == AUDIT_EXECVE || type == AUDIT_PATH || type == AUDIT_CWD || type == AUDIT_PROCTITLE;
        raw->has_head = is_head(type);
        if (raw->has_head || (!raw->has_carrier && !part)) {
            raw->carrier = i;
            raw->has_carrier = true;
        }
    }
}

/* ------------------------------------------------------------------------------------------------ values */

static void put_hex(xt_buf *out, xt_slice s)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < s.n; i++) {
        xt_buf_putc(out, digits[(uint8_t)s.p[i] >> 4]);
        xt_buf_putc(out, digits[(uint8_t)s.p[i] & 15]);
    }
}

static bool needs_hex(xt_slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '"' || (uint8_t)s.p[i] < 0x21 || (uint8_t)s.p[i] > 0x7e)
            return true;
    return false;
}

/* As the kernel writes what it does not trust. */
static void put_untrusted(xt_buf *out, xt_slice s)
{
    if (needs_hex(s)) {
        put_hex(out, s);
        return;
    }
    xt_buf_putc(out, '"');
    xt_buf_put(out, s);
    xt_buf_putc(out, '"');
}

static void put_quoted(xt_buf *out, xt_slice s)
{
    char quote = xt_slice_find_byte(s, '"') >= 0 ? '\'' : '"';

    xt_buf_putc(out, quote);
    xt_buf_put(out, s);
    xt_buf_putc(out, quote);
}

/* A space before all but the first field of a line. */
static void put_name(raw_event *raw, xt_slice name)
{
    if (!raw->first_field)
        xt_buf_putc(raw->out, ' ');
    raw->first_field = false;
    xt_buf_put(raw->out, name);
    if (name.n)
        xt_buf_putc(raw->out, '=');
}

static void put_kept(raw_event *raw, const xt_rec_field *field)
{
    put_name(raw, field->name);
    switch (field->form) {
    case XT_REC_QUOTED:
    case XT_REC_MSG_QUOTED:
    case XT_REC_REPEATED_QUOTED:
        put_quoted(raw->out, field->value);
        break;
    case XT_REC_HEX:
    case XT_REC_MSG_HEX:
    case XT_REC_REPEATED_HEX:
        put_hex(raw->out, field->value);
        break;
    default:
        xt_buf_put(raw->out, field->value);
    }
}

static bool is_msg(xt_rec_form form)
{
    return form == XT_REC_MSG || form == XT_REC_MSG_HEX || form == XT_REC_MSG_QUOTED;
}

typedef bool (*field_test)(xt_slice name);

static bool is_pointer(xt_slice name)
{
    return name.n == 2 && name.p[0] == 'a' && name.p[1] >= '0' && name.p[1] <= '3';
}
static bool is_no_pointer(xt_slice name)
{
    return !is_pointer(name);
}
static bool is_no_argc(xt_slice name)
{
    return !xt_slice_eq(name, XT_S("argc"));
}

static bool find_kept(const raw_event *raw, xt_slice name, xt_slice *ret_value)
{
    xt_rec_iter iter = raw->iter;

    for (xt_rec_field field; xt_recs_next_field(&iter, &field);)
        if (xt_slice_eq(field.name, name) && field.form <= XT_REC_HEX) {
            *ret_value = field.value;
            return true;
        }
    return false;
}

/* The record's own fields that the test names, those of a program inside of msg='...'. */
static void put_kept_fields(raw_event *raw, field_test test)
{
    xt_rec_iter iter = raw->iter;
    bool in_msg = false, is_name = raw->is_named; /* which was written as the record's type */

    for (xt_rec_field field; xt_recs_next_field(&iter, &field); is_name = false) {
        if (is_name || field.form == XT_REC_ENRICHED || (test && !test(field.name)))
            continue;
        if (is_msg(field.form) != in_msg) {
            if (in_msg)
                xt_buf_putc(raw->out, '\'');
            in_msg = !in_msg;
            if (in_msg) {
                put_name(raw, XT_S("msg"));
                xt_buf_putc(raw->out, '\'');
                raw->first_field = true;
            }
        }
        put_kept(raw, &field);
    }
    if (in_msg)
        xt_buf_putc(raw->out, '\'');
}

/* ------------------------------------------------------------------------------------------------ columns */

static void put_number(raw_event *raw, const char *name, xt_field field, bool always)
{
    bool has = xt_event_has(raw->event, field);

    if (!has && !always)
        return;
    put_name(raw, xt_slice_str(name));
    if (xt_field_find(field)->type == XT_INT)
        xt_buf_put_sdec(raw->out, (int64_t)raw->event->values[field].num);
    else
        xt_buf_put_dec(raw->out, has ? raw->event->values[field].num : UINT32_MAX);
}

static void put_word(raw_event *raw, const char *name, xt_field field)
{
    if (!xt_event_has(raw->event, field))
        return;
    put_name(raw, xt_slice_str(name));
    xt_buf_put(raw->out, raw->event->values[field].bytes);
}

static void put_text(raw_event *raw, const char *name, xt_field field)
{
    if (!xt_event_has(raw->event, field))
        return;
    put_name(raw, xt_slice_str(name));
    put_untrusted(raw->out, raw->event->values[field].bytes);
}

static void put_call(raw_event *raw)
{
    xt_slice arch = xt_event_bytes(raw->event, XT_F_ARCH), call = xt_event_bytes(raw->event, XT_F_SYSCALL), kept;
    uint32_t arch_number = xt_arch_by_name(arch);

    if (arch.n) {
        put_name(raw, XT_S("arch"));
        if (arch_number)
            xt_buf_printf(raw->out, "%" PRIx32, arch_number);
        else
            xt_buf_put(raw->out, arch);
    }
    if (call.n == 0 || find_kept(raw, XT_S("syscall"), &kept))
        return; /* a kept number (x32) says more than the name */
    int number = xt_syscall_by_name(arch_number, call);
    put_name(raw, XT_S("syscall"));
    if (number >= 0)
        xt_buf_put_dec(raw->out, (uint64_t)number);
    else
        xt_buf_put(raw->out, call);
}

/* The keys of all rules as one text, 0x01 between them. */
static void put_keys(raw_event *raw)
{
    xt_list_iter iter = xt_list_iterate(xt_event_bytes(raw->event, XT_F_KEY));
    xt_buf keys = XT_BUF_INIT;
    bool first = true;

    put_name(raw, XT_S("key"));
    for (xt_slice key; xt_list_next(&iter, &key); first = false) {
        if (!first)
            xt_buf_putc(&keys, 1);
        xt_buf_put(&keys, key);
    }
    if (xt_event_has(raw->event, XT_F_KEY))
        put_untrusted(raw->out, xt_buf_slice(&keys));
    else
        xt_buf_puts(raw->out, "(null)");
    raw->out->failed |= keys.failed;
    xt_buf_fini(&keys);
}

/* A failed exec's exe is the path it tried; that of the caller was kept with the record. */
static bool is_exe_of_record(const raw_event *raw)
{
    return !xt_slice_eq(xt_event_bytes(raw->event, XT_F_ACTION), XT_S("executed")) ||
           !xt_slice_eq(xt_event_bytes(raw->event, XT_F_SUCCESS), XT_S("no"));
}

static bool has_msg(const raw_event *raw)
{
    xt_rec_iter iter = raw->iter;

    for (xt_rec_field field; xt_recs_next_field(&iter, &field);)
        if (is_msg(field.form))
            return true;
    return false;
}

static bool says_terminal(const raw_event *raw)
{
    xt_rec_iter iter = raw->iter;

    for (xt_rec_field field; xt_recs_next_field(&iter, &field);)
        if (xt_slice_eq(field.name, is_msg(field.form) ? XT_S("terminal") : XT_S("major"))) /* TTY has the number */
            return true;
    return false;
}

/*
 * The pointers of an exec are not kept, but ausearch takes no system call without them. Of execveat's directory it is
 * known whether names count from the working directory: then the path in the event is absolute.
 */
static void put_pointers(raw_event *raw)
{
    xt_slice call = xt_event_bytes(raw->event, XT_F_SYSCALL), kept;
    xt_slice path = xt_event_bytes(raw->event, is_exe_of_record(raw) ? XT_F_SCRIPT : XT_F_EXE);
    bool at = xt_slice_eq(call, XT_S("execveat"));

    put_kept_fields(raw, is_pointer);
    if (!raw->has_head || find_kept(raw, XT_S("a0"), &kept) ||
        (!at && !xt_slice_eq(call, XT_S("execve")) && !xt_event_has(raw->event, XT_F_ARGS)))
        return;
    put_name(raw, XT_S("a0"));
    xt_buf_puts(raw->out, at && (path.n == 0 || path.p[0] == '/') ? "ffffff9c" : "0");
    xt_buf_puts(raw->out, " a1=0 a2=0 a3=0");
}

/* ausearch finds fields in the order of the kernel alone: a program's record has its uid before auid. */
static void put_columns(raw_event *raw)
{
    bool always = raw->has_head || xt_event_has(raw->event, XT_F_PID), from_program = !raw->has_head && has_msg(raw);

    put_call(raw);
    put_word(raw, "success", XT_F_SUCCESS);
    put_number(raw, "exit", XT_F_EXIT, false);
    put_pointers(raw);
    put_number(raw, "items", XT_F_ITEMS, false);
    put_number(raw, "ppid", XT_F_PPID, false);
    put_number(raw, "pid", XT_F_PID, false);
    if (from_program)
        put_number(raw, "uid", XT_F_UID, false);
    put_number(raw, "auid", XT_F_AUID, always);
    if (!from_program)
        put_number(raw, "uid", XT_F_UID, false);
    put_number(raw, "gid", XT_F_GID, false);
    put_number(raw, "euid", XT_F_EUID, false);
    put_number(raw, "suid", XT_F_SUID, false);
    put_number(raw, "fsuid", XT_F_FSUID, false);
    put_number(raw, "egid", XT_F_EGID, false);
    put_number(raw, "sgid", XT_F_SGID, false);
    put_number(raw, "fsgid", XT_F_FSGID, false);
    if (raw->has_head || !says_terminal(raw))
        put_word(raw, "tty", XT_F_TTY);
    put_number(raw, "ses", XT_F_SES, always);
    put_text(raw, "comm", XT_F_COMM);
    if (is_exe_of_record(raw))
        put_text(raw, "exe", XT_F_EXE);
    put_kept_fields(raw, is_no_pointer);
    if (raw->has_head)
        put_keys(raw);
}

static void put_enriched(raw_event *raw, xt_slice name, xt_slice value, bool *first)
{
    if (value.n == 0)
        return;
    xt_buf_putc(raw->out, *first ? 0x1d : ' ');
    *first = false;
    xt_buf_put(raw->out, name);
    xt_buf_putc(raw->out, '=');
    if (xt_slice_eq(name, XT_S("SADDR"))) {
        xt_buf_puts(raw->out, "{ ");
        xt_buf_put(raw->out, value);
        xt_buf_puts(raw->out, " }");
    } else {
        put_quoted(raw->out, value);
    }
}

/* Names of ids on the record that carries them, and what auditd said besides. */
static void put_all_enriched(raw_event *raw)
{
    static const struct {
        xt_slice name;
        xt_field field;
    } names[] = {
        {{"AUID", 4}, XT_F_LOGIN}, {{"UID", 3}, XT_F_USER}, {{"GID", 3}, XT_F_GROUP}, {{"EUID", 4}, XT_F_EUSER}};
    xt_rec_iter iter = raw->iter;
    bool first = true;

    size_t n_names = raw->has_carrier && raw->index == raw->carrier ? XT_COUNT_OF(names) : raw->is_login ? 2 : 0;

    for (size_t i = 0; i < n_names; i++)
        put_enriched(raw, names[i].name, xt_event_bytes(raw->event, names[i].field), &first);
    for (xt_rec_field field; xt_recs_next_field(&iter, &field);)
        if (field.form == XT_REC_ENRICHED)
            put_enriched(raw, field.name, field.value, &first);
}

/* ------------------------------------------------------------------------------------------------ lines */

static bool is_node(xt_slice s)
{
    return s.n > 0 && !needs_hex(s);
}

static void line_begin(raw_event *raw, uint16_t type)
{
    xt_slice host = xt_event_bytes(raw->event, XT_F_HOST);
    int64_t t = (int64_t)xt_event_num(raw->event, XT_F_TIME, 0);
    const char *name = xt_record_type_name(type);
    xt_slice own;

    raw->first_field = true;
    raw->is_named = type == XT_RECORD_NAMED && find_kept(raw, XT_S("type"), &own);
    if (is_node(host)) {
        xt_buf_puts(raw->out, "node=");
        xt_buf_put(raw->out, host);
        xt_buf_putc(raw->out, ' ');
    }
    if (name)
        xt_buf_printf(raw->out, "type=%s", name);
    else if (raw->is_named)
        xt_buf_printf(raw->out, "type=%.*s", XT_S_ARGS(own));
    else
        xt_buf_printf(raw->out, "type=UNKNOWN[%u]", type);
    xt_buf_printf(raw->out, " msg=audit(%" PRId64 ".%03d:%" PRIu64 "): ", t / 1000, (int)(t % 1000),
                  xt_event_num(raw->event, XT_F_SERIAL, 0));
}

static void line_end(raw_event *raw)
{
    put_all_enriched(raw);
    xt_buf_putc(raw->out, '\n');
}

#define EXECVE_BYTES 7500 /* of a record's arguments */
#define EXECVE_NAME  96   /* what the kernel reserves for aN_len= and aN[i]= */

typedef struct execve {
    raw_event *raw;
    size_t left; /* bytes of this record */
    uint64_t arg;
} execve;

static void execve_next_record(execve *x)
{
    xt_buf_putc(x->raw->out, '\n');
    line_begin(x->raw, AUDIT_EXECVE);
    x->left = EXECVE_BYTES;
}

static void put_argument(execve *x, xt_slice arg)
{
    xt_buf *out = x->raw->out;
    bool hex = arg.n >= EXECVE_BYTES || needs_hex(arg);
    unsigned fragment = 0;

    do {
        if (EXECVE_NAME + 8 > x->left)
            execve_next_record(x);
        size_t n_text = hex ? 2 * arg.n : arg.n + 2, start = out->n;
        bool whole = fragment == 0 && arg.n < EXECVE_BYTES && n_text + EXECVE_NAME <= x->left;
        if (whole)
            xt_buf_printf(out, " a%" PRIu64 "=", x->arg);
        else if (fragment == 0)
            xt_buf_printf(out, " a%" PRIu64 "_len=%zu", x->arg, hex ? 2 * arg.n : arg.n);
        if (!whole)
            xt_buf_printf(out, " a%" PRIu64 "[%u]=", x->arg, fragment++);
        x->left -= out->n - start < x->left ? out->n - start : x->left;
        size_t room = hex ? x->left / 2 : x->left - 2, n = arg.n < room ? arg.n : room;
        if (hex)
            put_hex(out, xt_slice_head(arg, n));
        else
            put_untrusted(out, xt_slice_head(arg, n));
        x->left -= hex ? 2 * n : n + 2;
        arg = xt_slice_skip(arg, n);
    } while (arg.n > 0 && !out->failed);
}

/* Whether argument `arg` is named by MISSING ("3-5,9"; fragments, "7[2]", are not). */
static bool is_missing(xt_slice missing, uint64_t arg)
{
    for (xt_slice range, first; xt_slice_cut(&missing, ',', &range);) {
        uint64_t from, to;
        xt_slice last = range;
        xt_slice_cut(&last, '-', &first);
        if (!xt_slice_parse_u64(first, &from))
            continue;
        if (!last.p || !xt_slice_parse_u64(last, &to))
            to = from;
        if (arg >= from && arg <= to)
            return true;
    }
    return false;
}

static void put_execve(raw_event *raw)
{
    execve x = {.raw = raw, .left = EXECVE_BYTES};
    xt_slice args = xt_event_bytes(raw->event, XT_F_ARGS), missing = xt_event_bytes(raw->event, XT_F_MISSING), argc;
    xt_list_iter iter = xt_list_iterate(args);

    put_name(raw, XT_S("argc"));
    if (find_kept(raw, XT_S("argc"), &argc))
        xt_buf_put(raw->out, argc);
    else
        xt_buf_put_dec(raw->out, xt_list_count(args));
    put_kept_fields(raw, is_no_argc);
    for (xt_slice arg; xt_list_next(&iter, &arg); x.arg++) {
        uint64_t before = x.arg;
        while (missing.n && is_missing(missing, x.arg))
            x.arg++;
        if (x.arg != before)
            execve_next_record(&x); /* a gap inside of a record would be empty arguments of an old kernel */
        put_argument(&x, arg);
    }
}

static void put_path(raw_event *raw)
{
    xt_path path;

    if (xt_paths_next(&raw->paths, &path)) {
        put_name(raw, XT_S("item"));
        xt_buf_printf(raw->out, "%" PRIu64 " name=", path.item);
        if (path.has_name)
            put_untrusted(raw->out, path.name);
        else
            xt_buf_puts(raw->out, "(null)");
        if (path.has_inode)
            xt_buf_printf(raw->out,
                          " inode=%" PRIu64 " dev=%02" PRIx64 ":%02" PRIx64 " mode=%#07" PRIo64 " ouid=%" PRIu64
                          " ogid=%" PRIu64 " rdev=%02" PRIx64 ":%02" PRIx64,
                          path.inode, path.dev_major, path.dev_minor, path.mode, path.ouid, path.ogid, path.rdev_major,
                          path.rdev_minor);
        if (path.nametype.n) {
            put_name(raw, XT_S("nametype"));
            xt_buf_put(raw->out, path.nametype);
        }
        if (path.rest.n) {
            xt_buf_putc(raw->out, ' ');
            xt_buf_put(raw->out, path.rest);
        }
    }
    put_kept_fields(raw, NULL);
}

#define PROCTITLE_BYTES 128

/* A title that was not kept said what the arguments say, NUL between them. */
static void put_proctitle(raw_event *raw)
{
    char title[PROCTITLE_BYTES];
    xt_list_iter iter = xt_list_iterate(xt_event_bytes(raw->event, XT_F_ARGS));
    xt_slice kept;
    size_t n = 0;

    if (!find_kept(raw, XT_S("proctitle"), &kept) && xt_event_has(raw->event, XT_F_ARGS)) {
        for (xt_slice arg; n < sizeof title && xt_list_next(&iter, &arg);) {
            size_t m = arg.n < sizeof title - n ? arg.n : sizeof title - n;
            if (m)
                memcpy(title + n, arg.p, m);
            n += m;
            if (n < sizeof title)
                title[n++] = '\0';
        }
        while (n && title[n - 1] == '\0')
            n--;
        put_name(raw, XT_S("proctitle"));
        put_untrusted(raw->out, xt_slice_of(title, n));
    }
    put_kept_fields(raw, NULL);
}

static void put_record(raw_event *raw, uint16_t type)
{
    xt_slice old;

    if (type == AUDIT_EXECVE && raw->has_execve)
        return; /* all of them were written at the first */
    line_begin(raw, type);
    raw->is_login = type == AUDIT_LOGIN && find_kept(raw, XT_S("old-auid"), &old);
    if (raw->has_carrier && raw->index == raw->carrier) {
        put_columns(raw);
    } else if (type == AUDIT_EXECVE) {
        raw->has_execve = true;
        put_execve(raw);
    } else if (type == AUDIT_PATH) {
        put_path(raw);
    } else if (type == AUDIT_PROCTITLE) {
        put_proctitle(raw);
    } else {
        if (type == AUDIT_CWD)
            put_text(raw, "cwd", XT_F_CWD);
        put_kept_fields(raw, NULL);
    }
    line_end(raw);
}

void xt_render_raw(const xt_event *event, xt_buf *out)
{
    raw_event raw = {.event = event, .out = out, .paths = xt_paths_iterate(xt_event_bytes(event, XT_F_PATHS))};
    xt_slice original = xt_event_bytes(event, XT_F_ORIGINAL);
    uint16_t type;

    if (original.n) {
        xt_record ignored;
        if (xt_record_parse_line(original, &ignored, NULL) ==
            0) /* its records stand by themselves: not to be read twice */
            xt_buf_puts(out, "unparsed: ");
        xt_buf_put(out, original);
        xt_buf_putc(out, '\n');
        return;
    }
    find_carrier(&raw);
    raw.iter = xt_recs_iterate(xt_event_bytes(event, XT_F_RECORDS));
    for (; xt_recs_next(&raw.iter, &type); raw.index++)
        put_record(&raw, type);
}
