/*
 * A message is made in `scratch`, and what frames it in `head`, because the count of octets comes before both.
 */
#include "server/forward_form.h"

#include <errno.h>

#include "base/timestamp.h"
#include "base/utf8.h"
#include "event/event_json.h"
#include "event/render_raw.h"
#include "query/render.h"
#include "server/alerts.h"

enum { FACILITY = 13, HOST_BYTES = 255, ACTION_BYTES = 32 };

void xt_forward_batch_reset(xt_forward_batch *batch)
{
    xt_buf_reset(&batch->bytes);
    xt_buf_reset(&batch->ends);
    batch->n_items = batch->n_cut = batch->n_textless = 0;
}

void xt_forward_batch_fini(xt_forward_batch *batch)
{
    xt_buf_fini(&batch->bytes);
    xt_buf_fini(&batch->ends);
    xt_buf_fini(&batch->scratch);
    xt_buf_fini(&batch->head);
}

size_t xt_forward_batch_count(const xt_forward_batch *batch)
{
    return batch->ends.n / sizeof(uint64_t);
}

static uint64_t end_of(const xt_forward_batch *batch, size_t i)
{
    uint64_t end;

    memcpy(&end, batch->ends.p + i * sizeof end, sizeof end);
    return end;
}

xt_slice xt_forward_batch_part(const xt_forward_batch *batch, size_t from, size_t to)
{
    uint64_t begin = from ? end_of(batch, from - 1) : 0;

    return from < to ? xt_slice_of(batch->bytes.p + begin, end_of(batch, to - 1) - begin) : XT_S_NULL;
}

static void message_end(xt_forward_batch *batch)
{
    uint64_t end = batch->bytes.n;

    xt_buf_put(&batch->ends, xt_slice_of(&end, sizeof end));
}

static int batch_done(const xt_forward_batch *batch)
{
    return batch->bytes.failed || batch->ends.failed || batch->scratch.failed || batch->head.failed
               ? xt_error_origin(-ENOMEM)
               : 0;
}

/* ------------------------------------------------------------------------------------------------ syslog */

/* Of levels: syslog's severity, and CEF's. */
static const struct level {
    const char *name;
    int severity, cef;
} levels[] = {{"critical", 2, 10}, {"high", 3, 8}, {"medium", 4, 5}, {"low", 5, 3}, {"", 6, 0}};

static const struct level *level_of(xt_slice name)
{
    size_t i = 0;

    while (i + 1 < XT_COUNT_OF(levels) && !xt_slice_eq(name, xt_slice_str(levels[i].name)))
        i++;
    return &levels[i];
}

/* A field of the header: visible ASCII, or "-". */
static void header_word(xt_buf *out, xt_slice text, size_t max)
{
    text = xt_slice_head(text, max);
    for (size_t i = 0; i < text.n; i++)
        xt_buf_putc(out, text.p[i] > 32 && text.p[i] < 127 ? text.p[i] : '_');
    xt_buf_puts(out, text.n ? " " : "- ");
}

void xt_syslog_param_put(xt_buf *out, const char *name, xt_slice value)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;

    if (!xt_text_is_clean(value)) {
        xt_text_visible(&text, value);
        value = xt_buf_slice(&text);
    }
    xt_buf_printf(out, " %s=\"", name);
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] == '"' || value.p[i] == '\\' || value.p[i] == ']')
            xt_buf_putc(out, '\\');
        xt_buf_putc(out, value.p[i]);
    }
    xt_buf_putc(out, '"');
    out->failed |= text.failed;
}

void xt_syslog_head_put(xt_buf *out, const xt_syslog_head *head)
{
    char time[25];

    xt_timestamp_format(head->t_ms, time);
    xt_buf_printf(out, "<%d>1 %.24s ", FACILITY * 8 + level_of(head->level)->severity, time);
    header_word(out, head->host, HOST_BYTES);
    xt_buf_puts(out, "exectrail - ");
    header_word(out, head->action, ACTION_BYTES);
    xt_buf_puts(out, "[exectrail@32473");
    xt_syslog_param_put(out, "id", head->id);
    if (head->rule.n)
        xt_syslog_param_put(out, "rule", head->rule);
    if (head->cut)
        xt_buf_printf(out, " cut=\"%llu\"", (unsigned long long)head->cut);
    xt_buf_puts(out, "] ");
}

static void datagram_put(xt_forward_batch *batch, xt_syslog_head *head, xt_slice message)
{
    xt_buf_reset(&batch->head);
    xt_syslog_head_put(&batch->head, head);
    if (batch->head.n + message.n > XT_FORWARD_DATAGRAM_BYTES) {
        size_t taken = batch->head.n + 32; /* for cut="..." */
        size_t room = taken < XT_FORWARD_DATAGRAM_BYTES ? XT_FORWARD_DATAGRAM_BYTES - taken : 0;
        while (room > 0 && (message.p[room] & 0xc0) == 0x80) /* not within a character */
            room--;
        head->cut = message.n - room;
        message.n = room;
        batch->n_cut++;
        xt_buf_reset(&batch->head);
        xt_syslog_head_put(&batch->head, head);
    }
    xt_buf_put(&batch->bytes, xt_buf_slice(&batch->head));
    xt_buf_put(&batch->bytes, message);
}

static void message_put(const xt_forward_form *form, xt_forward_batch *batch, const xt_syslog_head *head,
                        xt_slice message)
{
    xt_syslog_head own = *head;

    if (form->frame == XT_FORWARD_DATAGRAM) {
        datagram_put(batch, &own, message);
    } else if (form->frame == XT_FORWARD_OCTETS) {
        xt_buf_reset(&batch->head);
        xt_syslog_head_put(&batch->head, head);
        xt_buf_put_dec(&batch->bytes, batch->head.n + message.n);
        xt_buf_putc(&batch->bytes, ' ');
        xt_buf_put(&batch->bytes, xt_buf_slice(&batch->head));
        xt_buf_put(&batch->bytes, message);
    } else {
        if (form->frame == XT_FORWARD_BULK)
            xt_buf_printf(&batch->bytes, "{\"create\":{\"_id\":\"%.*s\"}}\n", XT_S_ARGS(head->id));
        xt_buf_put(&batch->bytes, message);
        xt_buf_putc(&batch->bytes, '\n');
    }
    message_end(batch);
}

/* ------------------------------------------------------------------------------------------------ CEF */

static void cef_text(xt_buf *out, xt_slice value, const char *escaped)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;

    if (!xt_text_is_clean(value)) {
        xt_text_visible(&text, value);
        value = xt_buf_slice(&text);
    }
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] == '\\' || strchr(escaped, value.p[i]))
            xt_buf_putc(out, '\\');
        xt_buf_putc(out, value.p[i]);
    }
    out->failed |= text.failed;
}

static void cef_head(xt_buf *out, xt_slice signature, xt_slice name, xt_slice level)
{
    xt_buf_puts(out, "CEF:0|Exectrail|Exectrail|" XT_VERSION "|");
    cef_text(out, signature, "|");
    xt_buf_putc(out, '|');
    cef_text(out, name, "|");
    xt_buf_printf(out, "|%d|", level_of(level)->cef);
}

static void cef_key(xt_buf *out, const char *key, xt_slice value)
{
    if (value.n == 0)
        return;
    xt_buf_printf(out, "%s%s=", out->p && out->p[out->n - 1] == '|' ? "" : " ", key);
    cef_text(out, value, "=");
}

static void cef_number(xt_buf *out, const char *key, int64_t value)
{
    char text[24];
    xt_buf number = XT_BUF_ON(text);

    xt_buf_put_sdec(&number, value);
    cef_key(out, key, xt_buf_slice(&number));
}

/* A field of the event by its key; label: what the key of its own number means. */
static void cef_field(xt_buf *out, xt_event *event, xt_field field, const char *key, const char *label)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    char label_key[16];
    xt_buf name = XT_BUF_ON(label_key);

    if (!xt_event_has(event, field))
        return;
    xt_event_field_text(event, field, &text);
    cef_key(out, key, xt_buf_slice(&text));
    if (label) {
        xt_buf_printf(&name, "%sLabel", key);
        label_key[name.n] = '\0';
        cef_key(out, label_key, xt_slice_str(label));
    }
    out->failed |= text.failed;
}

static void cef_event(xt_event *event, xt_buf *out)
{
    static const struct {
        xt_field field;
        const char *key, *label;
    } keys[] = {
        {XT_F_HOST, "dvchost", NULL},
        {XT_F_HOST_ID, "deviceExternalId", NULL},
        {XT_F_EVENT_ID, "externalId", NULL},
        {XT_F_ACTION, "act", NULL},
        {XT_F_OUTCOME, "outcome", NULL},
        {XT_F_LOGIN, "suser", NULL},
        {XT_F_AUID, "suid", NULL},
        {XT_F_EUSER, "duser", NULL},
        {XT_F_EUID, "duid", NULL},
        {XT_F_FROM, "src", NULL},
        {XT_F_EXE, "dproc", NULL},
        {XT_F_PID, "dpid", NULL},
        {XT_F_PARENT_EXE, "sproc", NULL},
        {XT_F_PPID, "spid", NULL},
        {XT_F_CMD, "cs1", "commandLine"},
        {XT_F_CWD, "cs2", "workingDirectory"},
        {XT_F_TTY, "cs3", "tty"},
        {XT_F_PARENT_CMD, "cs4", "parentCommandLine"},
        {XT_F_FLAGS, "cs5", "flags"},
        {XT_F_SES, "cn1", "session"},
        {XT_F_EXIT_CODE, "cn2", "exitCode"},
        {XT_F_MESSAGE, "msg", NULL},
    };
    xt_slice action = xt_event_bytes(event, XT_F_ACTION);

    cef_head(out, action, action, xt_event_bytes(event, XT_F_RULE_LEVEL));
    cef_number(out, "rt", (int64_t)xt_event_num(event, XT_F_TIME, 0));
    for (size_t i = 0; i < XT_COUNT_OF(keys); i++)
        cef_field(out, event, keys[i].field, keys[i].key, keys[i].label);
}

static void cef_alert(const xt_alert *alert, xt_buf *out)
{
    cef_head(out, xt_slice_str(alert->rule_id), xt_slice_str(alert->rule_title), xt_slice_str(alert->level));
    cef_number(out, "rt", alert->last_ms);
    cef_number(out, "start", alert->first_ms);
    cef_number(out, "end", alert->last_ms);
    cef_number(out, "cnt", (int64_t)alert->count);
    cef_key(out, "dvchost", xt_slice_str(alert->host));
    cef_key(out, "suser", xt_slice_str(alert->user));
    cef_key(out, "externalId", xt_slice_str(alert->event_id));
    cef_number(out, "cn1", (int64_t)alert->id);
    cef_key(out, "cn1Label", XT_S("alert"));
}

/* ------------------------------------------------------------------------------------------------ both */

xt_field_set xt_forward_form_fields(const xt_forward_form *form)
{
    const xt_render render = {.format = form->format == XT_FORWARD_RAW ? XT_FORMAT_RAW : XT_FORMAT_NDJSON};

    return xt_render_fields(&render);
}

/* Audit text: of syslog a message a record. */
static void raw_put(const xt_forward_form *form, xt_forward_batch *batch, const xt_syslog_head *head)
{
    xt_slice rest = xt_slice_trim(xt_buf_slice(&batch->scratch)), line;
    bool is_syslog = form->frame == XT_FORWARD_OCTETS || form->frame == XT_FORWARD_DATAGRAM;

    if (rest.n == 0)
        batch->n_textless++;
    else if (!is_syslog)
        message_put(form, batch, head, rest);
    while (is_syslog && rest.n && xt_slice_cut(&rest, '\n', &line))
        if (line.n)
            message_put(form, batch, head, line);
}

int xt_forward_put_event(const xt_forward_form *form, xt_event *event, xt_arena *arena, xt_forward_batch *batch)
{
    xt_field_set wanted = {{0, 0}};
    int r;

    xt_field_set_add(&wanted, XT_F_EVENT_ID);
    if (form->format == XT_FORWARD_CEF)
        xt_field_set_add(&wanted, XT_F_CMD);
    r = xt_event_derive(event, wanted, arena);
    if (r)
        return xt_error_trace(r);
    const xt_syslog_head head = {.t_ms = (int64_t)xt_event_num(event, XT_F_TIME, 0),
                                 .host = xt_event_bytes(event, XT_F_HOST),
                                 .action = xt_event_bytes(event, XT_F_ACTION),
                                 .id = xt_event_bytes(event, XT_F_EVENT_ID),
                                 .level = xt_event_bytes(event, XT_F_RULE_LEVEL)};
    xt_buf_reset(&batch->scratch);
    if (form->format == XT_FORWARD_RAW)
        xt_render_raw(event, &batch->scratch);
    else if (form->format == XT_FORWARD_CEF)
        cef_event(event, &batch->scratch);
    else
        r = xt_event_json(event, 0, arena, &batch->scratch);
    if (r == 0 && form->format == XT_FORWARD_RAW)
        raw_put(form, batch, &head);
    else if (r == 0)
        message_put(form, batch, &head, xt_buf_slice(&batch->scratch));
    batch->n_items++;
    return r ? xt_error_trace(r) : batch_done(batch);
}

int xt_forward_put_alert(const xt_forward_form *form, const xt_alert *alert, xt_forward_batch *batch)
{
    const xt_syslog_head head = {.t_ms = alert->last_ms,
                                 .host = xt_slice_str(alert->host),
                                 .action = XT_S("alert"),
                                 .id = xt_slice_str(alert->event_id),
                                 .level = xt_slice_str(alert->level),
                                 .rule = xt_slice_str(alert->rule_title)};

    xt_buf_reset(&batch->scratch);
    if (form->format == XT_FORWARD_CEF)
        cef_alert(alert, &batch->scratch);
    else
        xt_alert_json(alert, &batch->scratch);
    message_put(form, batch, &head, xt_buf_slice(&batch->scratch));
    batch->n_items++;
    return batch_done(batch);
}
