/*
 * A line is taken apart from the front: node=, type=, msg=, the stamp; what follows is the body. auditd's own
 * addition is cut off at the last 0x1d, since a user message may hold that byte itself. Only when a line does not
 * start like a line of auditd are the kernel's printk form and the system log's looked for.
 *
 * A record inside of a record is found by its stamp: "audit(" is looked for by its bracket, which few records have.
 * The kernel writes a text with a space in hex, so "type=NAME msg=audit(S.M:N):" in a record of the kernel is nobody's
 * text; in a record that a program made, what the kernel wrote ends where msg=' begins.
 */
#include "audit/record.h"

#include <endian.h>
#include <linux/audit.h>

#include "audit/names.h"
#include "base/timestamp.h"

#define ENRICHED_MARK 0x1d
#define MAX_TYPE_NAME 64

typedef struct cursor {
    const char *p, *end;
} cursor;

static bool take(cursor *c, xt_slice word)
{
    if ((size_t)(c->end - c->p) < word.n || memcmp(c->p, word.p, word.n) != 0)
        return false;
    c->p += word.n;
    return true;
}

/* One to max_digits digits, max_digits <= 18; the number of digits, 0 when there is none or there are too many. */
static unsigned take_number(cursor *c, unsigned max_digits, uint64_t *ret)
{
    uint64_t v = 0;
    unsigned n = 0;
    for (; c->p < c->end && (unsigned char)(*c->p - '0') < 10; c->p++, n++) {
        if (n == max_digits)
            return 0;
        v = v * 10 + (unsigned char)(*c->p - '0');
    }
    *ret = v;
    return n;
}

static xt_slice take_word(cursor *c)
{
    const char *start = c->p;
    while (c->p < c->end && *c->p != ' ')
        c->p++;
    xt_slice word = xt_slice_of(start, (size_t)(c->p - start));
    if (c->p < c->end)
        c->p++;
    return word;
}

/* The value of eight digits, which all are; false else. */
static bool eight_digits(const char *p, uint64_t *ret)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    v = le64toh(v) ^ UINT64_C(0x3030303030303030);
    if (((v + UINT64_C(0x7676767676767676)) | v) & UINT64_C(0x8080808080808080))
        return false;
    /* neighbours are joined: eight values below 10, four below 100, two below 10000 */
    v = (v * 10 + (v >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
    v = (v * 100 + (v >> 16)) & UINT64_C(0x0000ffff0000ffff);
    *ret = (v * 10000 + (v >> 32)) & UINT32_MAX;
    return true;
}

/* "SS.MMM:" */
static bool short_times(const char *p, unsigned *ret_seconds, unsigned *ret_ms)
{
    unsigned digits[5] = {(unsigned char)p[0] - '0', (unsigned char)p[1] - '0', (unsigned char)p[3] - '0',
                          (unsigned char)p[4] - '0', (unsigned char)p[5] - '0'};
    *ret_seconds = digits[0] * 10 + digits[1];
    *ret_ms = (digits[2] * 10 + digits[3]) * 10 + digits[4];
    return p[2] == '.' && p[6] == ':' && digits[0] < 10 && digits[1] < 10 && digits[2] < 10 && digits[3] < 10 &&
           digits[4] < 10;
}

/* A time of our century, ten digits: "audit(SSSSSSSSSS.MMM:"; false when it is written otherwise. */
static bool take_usual_time(cursor *c, uint64_t *ret_sec, uint64_t *ret_ms)
{
    uint64_t high;
    unsigned low, ms;
    if (c->end - c->p < 21 || memcmp(c->p, "audit(", 6) != 0 || !eight_digits(c->p + 6, &high) ||
        !short_times(c->p + 14, &low, &ms))
        return false;
    *ret_sec = high * 100 + low;
    *ret_ms = ms;
    c->p += 21;
    return true;
}

static bool take_time(cursor *c, uint64_t *ret_sec, uint64_t *ret_ms)
{
    return take_usual_time(c, ret_sec, ret_ms) ||
           (take(c, XT_S("audit(")) && take_number(c, 12, ret_sec) > 0 && take(c, XT_S(".")) &&
            take_number(c, 3, ret_ms) == 3 && take(c, XT_S(":")));
}

/* "audit(SEC.MMM:SERIAL):" and spaces. On failure the cursor stands at what is wrong. */
static bool take_stamp(cursor *c, xt_record *record)
{
    uint64_t sec, ms, serial;
    if (!take_time(c, &sec, &ms) || take_number(c, 10, &serial) == 0 || !take(c, XT_S("):")))
        return false;
    if (serial > UINT32_MAX || sec > XT_TIMESTAMP_MAX_MS / 1000)
        return false;
    while (c->p < c->end && *c->p == ' ')
        c->p++;
    record->serial = (uint32_t)serial;
    record->time_ms = (int64_t)(sec * 1000 + ms);
    return true;
}

static int corrupt(xt_problem *problem, xt_slice input, const char *at, const char *sentence)
{
    size_t offset = (size_t)(at - input.p);
    xt_problem_set(problem, "%s", sentence);
    xt_problem_at(problem, 0, offset + 1);
    xt_problem_excerpt(problem, xt_slice_skip(input, offset));
    return XT_RECORD_E_CORRUPT;
}

/* What a line that does not begin as a record may be instead. */
static int corrupt_begin(xt_problem *problem, xt_slice input, const char *at)
{
    int r = corrupt(problem, input, at, "not an audit record: type= is missing");
    if (xt_slice_starts(input, XT_S("----")) || xt_slice_starts(input, XT_S("time->")))
        xt_problem_hint(problem, "ausearch writes this between events: use ausearch --raw");
    else if (xt_slice_starts(input, XT_S("{")))
        xt_problem_hint(problem, "documents that were decoded before cannot be decoded again");
    else
        xt_problem_hint(problem, "a record begins with type= or node=; the line is kept as it is");
    return r;
}

static int corrupt_type(xt_problem *problem, xt_slice input, const char *at)
{
    int r = corrupt(problem, input, at, "the record type is not known");
    xt_problem_hint(problem, "a type is a name in capitals, UNKNOWN[N] or a number; the line is kept as it is");
    return r;
}

static int corrupt_stamp(xt_problem *problem, xt_slice input, const cursor *c)
{
    int r = corrupt(problem, input, c->p, "the stamp audit(SECONDS.MILLISECONDS:SERIAL): is not well formed");
    if (memchr(input.p, '/', (size_t)(c->p - input.p)) || (c->p < c->end && *c->p == '/'))
        xt_problem_hint(problem, "interpreted output of ausearch cannot be read back: use ausearch --raw");
    else
        xt_problem_hint(problem, "it looks like audit(1700000000.123:77): and the line is kept as it is");
    return r;
}

/* The tail after the last mark, unless that mark stands inside a user message of a log without enrichment. */
static void cut_enrichment(xt_record *record, const char *start, const char *end)
{
    const char *mark = memrchr(start, ENRICHED_MARK, (size_t)(end - start));
    if (mark && end[-1] == '\'')
        mark = NULL;
    record->body = xt_slice_of(start, (size_t)((mark ? mark : end) - start));
    record->enriched = mark ? xt_slice_of(mark + 1, (size_t)(end - mark - 1)) : XT_S_NULL;
}

/* "audit: type=1300 audit(...): ...", whatever syslog or dmesg wrote in front of it. */
static bool seek_printk(cursor *c)
{
    xt_slice word = XT_S("audit: type=");
    const char *found = memmem(c->p, (size_t)(c->end - c->p), word.p, word.n);
    if (!found)
        return false;
    c->p = found + word.n;
    return true;
}

/* "audispd: node=..." or "audisp-syslog[12]: type=...", as a system log has it. */
static bool seek_audisp(cursor *c)
{
    xt_slice word = XT_S("audisp"), colon = XT_S(": ");
    const char *found = memmem(c->p, (size_t)(c->end - c->p), word.p, word.n);
    if (found)
        found = memmem(found, (size_t)(c->end - found), colon.p, colon.n);
    if (!found)
        return false;
    cursor at = {found + colon.n, c->end}, behind = at;
    if (!take(&behind, XT_S("node=")) && !take(&behind, XT_S("type=")))
        return false;
    *c = at;
    return true;
}

static bool is_capital(xt_slice name)
{
    for (size_t i = 0; i < name.n; i++)
        if ((name.p[i] < 'A' || name.p[i] > 'Z') && (i == 0 || (name.p[i] != '-' && name.p[i] != '_')))
            return false;
    return name.n > 0;
}

/* Where the names in capitals begin that go on to the end, which no text of the kernel or of a program does; NULL: nowhere. */
static const char *find_capitals(xt_slice body)
{
    const char *found = NULL;
    xt_audit_field field;
    xt_slice rest = body;
    while (xt_audit_field_next(&rest, &field))
        found = !is_capital(field.name) ? NULL : found ? found : field.name.p;
    return found > body.p && found[-1] == ' ' ? found : NULL;
}

/* A system log writes the mark as #035 or a space; the kernel's text does not have it before a name in capitals. */
void xt_record_cut_escaped(xt_record *record)
{
    xt_slice mark = XT_S("#035"), body = record->body;
    if (record->enriched.p || body.n == 0 || body.p[body.n - 1] == '\'')
        return;
    const char *found = memmem(body.p, body.n, mark.p, mark.n), *behind = found ? found + mark.n : NULL;
    if (!found) {
        behind = find_capitals(body);
        found = behind ? behind - 1 : NULL;
    }
    if (!found)
        return;
    record->body.n = (size_t)(found - body.p);
    record->enriched = xt_slice_skip(body, (size_t)(behind - body.p));
}

/* NAME and the space behind it, as names of types are made. */
static bool is_type_name(xt_slice word)
{
    size_t n = 0;
    while (n < word.n && ((word.p[n] >= 'A' && word.p[n] <= 'Z') || (n > 0 && word.p[n] >= '0' && word.p[n] <= '9') ||
                          (n > 0 && word.p[n] == '_')))
        n++;
    return n >= 2 && n <= MAX_TYPE_NAME && n + 1 == word.n && word.p[n] == ' ';
}

bool xt_record_cut_name(xt_slice body, xt_slice *ret_name, xt_slice *ret_fields)
{
    cursor c = {body.p, body.p + body.n};
    xt_record ignored;
    xt_slice name = take_word(&c);
    (void)take(&c, XT_S("msg="));
    if (!take_stamp(&c, &ignored))
        return false;
    *ret_name = name;
    *ret_fields = xt_slice_of(c.p, (size_t)(c.end - c.p));
    return true;
}

int xt_record_parse_line(xt_slice line, xt_record *ret, xt_problem *reterr_problem)
{
    if (line.n == 0)
        return XT_RECORD_E_EMPTY;
    cursor c = {line.p, line.p + line.n};
    while (c.p < c.end && (c.end[-1] == '\n' || c.end[-1] == '\r'))
        c.end--;
    /* a block that a crash left unwritten reads as NULs before the next record */
    while (c.p < c.end && (*c.p == '\0' || *c.p == ' ' || *c.p == '\t'))
        c.p++;
    if (c.p == c.end && !memchr(line.p, '\0', line.n))
        return XT_RECORD_E_EMPTY;
    if (c.p == c.end)
        return corrupt(reterr_problem, line, line.p, "only NUL bytes, which a crash may leave in a file");

    xt_record record = {0};
    bool is_logged = *c.p != 'n' && *c.p != 't' && seek_audisp(&c);
    if (take(&c, XT_S("node=")))
        record.node = take_word(&c);
    if (!take(&c, XT_S("type=")) && (record.node.p || !seek_printk(&c)))
        return corrupt_begin(reterr_problem, line, c.p);
    const char *type_at = c.p;
    record.type = xt_record_type_by_name(take_word(&c));
    bool is_named = record.type == 0 && is_type_name(xt_slice_of(type_at, (size_t)(c.p - type_at)));
    if ((record.type == 0 && !is_named) || record.type == XT_RECORD_NAMED)
        return corrupt_type(reterr_problem, line, type_at);
    (void)take(&c, XT_S("msg="));
    if (!take_stamp(&c, &record))
        return corrupt_stamp(reterr_problem, line, &c);
    record.type = is_named ? XT_RECORD_NAMED : record.type;
    cut_enrichment(&record, is_named ? type_at : c.p, c.end);
    if (is_logged)
        xt_record_cut_escaped(&record);
    *ret = record;
    return 0;
}

void xt_record_format(const xt_record *record, xt_buf *out)
{
    const char *name = record->type == XT_RECORD_NAMED ? NULL : xt_record_type_name(record->type);
    if (record->node.n > 0)
        xt_buf_printf(out, "node=%.*s ", XT_S_ARGS(record->node));
    xt_buf_puts(out, "type=");
    if (record->type != XT_RECORD_NAMED) { /* whose body begins with its name and the stamp */
        if (name)
            xt_buf_puts(out, name);
        else
            xt_buf_printf(out, "UNKNOWN[%u]", (unsigned)record->type);
        xt_buf_printf(out, " msg=audit(%lld.%03d:%u): ", (long long)(record->time_ms / 1000),
                      (int)(record->time_ms % 1000), record->serial);
    }
    xt_buf_put(out, record->body);
    if (record->enriched.n > 0) {
        xt_buf_putc(out, ENRICHED_MARK);
        xt_buf_put(out, record->enriched);
    }
}

/* ---- a record inside of a record ---- */

/* The last `sought` in text, or NULL. */
static const char *find_last(xt_slice text, xt_slice sought)
{
    for (const char *found = NULL;; text = xt_slice_skip(text, (size_t)(found + 1 - text.p))) {
        const char *next = memmem(text.p, text.n, sought.p, sought.n);
        if (!next)
            return found;
        found = next;
    }
}

/* inode=123 holds "node=" too. */
static bool is_inode(xt_slice word, const char *node)
{
    uint64_t ignored;
    xt_slice value = xt_slice_skip(word, (size_t)(node - word.p) + 5);
    return node > word.p && node[-1] == 'i' && xt_slice_parse_u64(value, &ignored);
}

/* Where the record whose "audit(" stands at `stamp` begins, not before `start`; NULL when that is none. */
static const char *begin_of_record(const char *start, const char *stamp, const char *end)
{
    cursor c = {stamp, end};
    xt_record ignored;
    xt_slice before = xt_slice_of(start, (size_t)(stamp - start));
    if (!take_stamp(&c, &ignored))
        return NULL;
    if (xt_slice_ends(before, XT_S("msg=")))
        before.n -= 4;
    if (before.n == 0 || before.p[--before.n] != ' ')
        return NULL;
    const char *word = memrchr(before.p, ' ', before.n);
    word = word ? word + 1 : before.p;
    xt_slice type = XT_S("type="), node = XT_S("node=");
    const char *found = find_last(xt_slice_of(word, (size_t)(before.p + before.n - word)), type);
    if (!found || xt_record_type_by_name(xt_slice_of(found + 5, (size_t)(before.p + before.n - found - 5))) == 0)
        return NULL;
    if (found != word || word == start)
        return found;
    const char *last = memrchr(start, ' ', (size_t)(word - 1 - start));
    last = last ? last + 1 : start;
    xt_slice before_type = xt_slice_of(last, (size_t)(word - 1 - last));
    const char *name = find_last(before_type, node);
    return name && !is_inode(before_type, name) ? name : found;
}

static const char *find_record(const char *start, const char *end, const char *line_end)
{
    for (const char *p = start; p && p < end && (p = memchr(p, '(', (size_t)(end - p))) != NULL; p++) {
        if (p - start < 6 || memcmp(p - 5, "audit", 5) != 0)
            continue;
        const char *found = begin_of_record(start, p - 5, line_end);
        if (found)
            return found;
    }
    return NULL;
}

/* What the kernel wrote of the record, before what a program did. */
static const char *end_of_kernel_text(const xt_record *record)
{
    bool is_kernel = record->type >= AUDIT_SYSCALL && record->type < AUDIT_FIRST_USER_MSG2;
    xt_slice word = XT_S("msg='");
    const char *found = is_kernel ? NULL : memmem(record->body.p, record->body.n, word.p, word.n);
    return found ? found : record->body.p + record->body.n;
}

/* Without the word that the cut may have gone through. */
static xt_slice whole_words(xt_slice text)
{
    while (text.n > 0 && text.p[text.n - 1] != ' ' && text.p[text.n - 1] != '"')
        text.n--;
    const char *quote = text.n > 0 && text.p[text.n - 1] == '"' ? memrchr(text.p, '=', text.n - 1) : NULL;
    if (quote && quote + 2 == text.p + text.n) /* only the opening one */
        while (text.n > 0 && text.p[text.n - 1] != ' ')
            text.n--;
    return text;
}

bool xt_record_split(xt_record *record, xt_slice *ret_rest)
{
    const char *end = record->enriched.p ? record->enriched.p + record->enriched.n : record->body.p + record->body.n;
    const char *stop = end_of_kernel_text(record);
    const char *found = find_record(record->body.p, stop, end);
    if (!found && record->enriched.n > 0 && stop == record->body.p + record->body.n)
        found = find_record(record->enriched.p, end, end);
    if (!found)
        return false;
    *ret_rest = xt_slice_of(found, (size_t)(end - found));
    cut_enrichment(record, record->body.p, found);
    if (record->enriched.p)
        record->enriched = whole_words(record->enriched);
    else
        record->body = whole_words(record->body);
    record->flags |= XT_RECORD_CUT;
    return true;
}

int xt_record_parse_payload(uint16_t type, xt_slice payload, xt_record *ret, xt_problem *reterr_problem)
{
    if (payload.n == 0)
        return XT_RECORD_E_EMPTY;
    cursor c = {payload.p, payload.p + payload.n};
    while (c.p < c.end && (c.end[-1] == '\n' || c.end[-1] == '\0'))
        c.end--;
    if (c.p == c.end)
        return XT_RECORD_E_EMPTY;
    if (type == XT_RECORD_NAMED) { /* stands for a name, which a datagram has not */
        xt_problem_set(reterr_problem, "record type %u is none of the kernel's", (unsigned)type);
        return XT_RECORD_E_CORRUPT;
    }
    xt_record record = {.type = type};
    if (!take_stamp(&c, &record))
        return corrupt_stamp(reterr_problem, payload, &c);
    record.body = xt_slice_of(c.p, (size_t)(c.end - c.p));
    *ret = record;
    return 0;
}
