/*
 * A line is taken apart from the front: node=, type=, msg=, the stamp; what follows is the body. auditd's own
 * addition is cut off at the last 0x1d, since a user message may hold that byte itself. Only when a line does not
 * start like a line of auditd is the kernel's printk form looked for.
 */
#include "audit/record.h"

#include "audit/names.h"
#include "base/timestamp.h"

#define ENRICHED_MARK 0x1d

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

/* "audit(SEC.MMM:SERIAL):" and spaces. On failure the cursor stands at what is wrong. */
static bool take_stamp(cursor *c, xt_record *record)
{
    uint64_t sec, ms, serial;
    if (!take(c, XT_S("audit(")) || take_number(c, 12, &sec) == 0 || !take(c, XT_S(".")) ||
        take_number(c, 3, &ms) != 3 || !take(c, XT_S(":")) || take_number(c, 10, &serial) == 0 || !take(c, XT_S("):")))
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

static int corrupt_stamp(xt_problem *problem, xt_slice input, const cursor *c)
{
    int r = corrupt(problem, input, c->p, "the stamp audit(SECONDS.MILLISECONDS:SERIAL): is not well formed");
    if (memchr(input.p, '/', (size_t)(c->p - input.p)) || (c->p < c->end && *c->p == '/'))
        xt_problem_hint(problem, "interpreted output of ausearch cannot be read back: use ausearch --raw");
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

    xt_record record = {0};
    if (take(&c, XT_S("node=")))
        record.node = take_word(&c);
    if (!take(&c, XT_S("type=")) && (record.node.p || !seek_printk(&c)))
        return corrupt(reterr_problem, line, c.p, "not an audit record: type= is missing");
    const char *type_at = c.p;
    record.type = xt_record_type_by_name(take_word(&c));
    if (record.type == 0)
        return corrupt(reterr_problem, line, type_at, "the record type is not known");
    (void)take(&c, XT_S("msg="));
    if (!take_stamp(&c, &record))
        return corrupt_stamp(reterr_problem, line, &c);
    cut_enrichment(&record, c.p, c.end);
    *ret = record;
    return 0;
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
    xt_record record = {.type = type};
    if (!take_stamp(&c, &record))
        return corrupt_stamp(reterr_problem, payload, &c);
    record.body = xt_slice_of(c.p, (size_t)(c.end - c.p));
    *ret = record;
    return 0;
}
