/* Why each flag is set: what was seen, or what should be there and is not. */
#include <linux/audit.h>

#include "event/explain_build.h"

static size_t count_type(const xt_explain_build *b, uint16_t type)
{
    size_t n = 0;
    for (size_t i = 0; i < b->in->n_records; i++)
        n += b->in->records[i].record.type == type && !b->in->records[i].is_repeated;
    return n;
}

static bool has_succeeded(const xt_explain_build *b)
{
    return xt_slice_eq(xt_event_bytes(b->event, XT_F_SUCCESS), XT_S("yes"));
}

static void show(xt_explain_build *b, xt_explain_value *v, const xt_explain_source *s)
{
    if (s)
        xt_explain_source_of(b, v, s, XT_EXPLAIN_CLUE);
}

static const xt_explain_source *of_head(const xt_explain_build *b, const char *name)
{
    return xt_explain_find_in_head(b, xt_slice_str(name));
}

static void explain_missing_execve(xt_explain_build *b, xt_explain_value *v)
{
    show(b, v, of_head(b, "syscall"));
    show(b, v, of_head(b, "success"));
    xt_explain_rule(b, v, "the exec succeeded, but no EXECVE record came");
    v->is_proved = b->is_exec && b->head && has_succeeded(b) && count_type(b, AUDIT_EXECVE) == 0;
}

static void explain_missing_args(xt_explain_build *b, xt_explain_value *v)
{
    show(b, v, xt_explain_find(b, AUDIT_EXECVE, XT_S("argc")));
    xt_explain_rule(b, v, "exectrail.missing says which");
    v->is_proved = xt_event_has(b->event, XT_F_MISSING);
}

static void explain_mismatch(xt_explain_build *b, xt_explain_value *v)
{
    show(b, v, xt_explain_find(b, AUDIT_EXECVE, XT_S("argc")));
    xt_explain_rule(b, v, "argc, a length or a fragment that came twice contradicts what is there");
    v->is_proved = b->args_differ;
}

static void explain_missing_path(xt_explain_build *b, xt_explain_value *v)
{
    size_t n = count_type(b, AUDIT_PATH);
    show(b, v, of_head(b, "items"));
    xt_explain_rule(b, v, "%zu PATH record%s came", n, n == 1 ? "" : "s");
    v->is_proved = xt_event_num(b->event, XT_F_ITEMS, 0) > n;
}

static void explain_missing_cwd(xt_explain_build *b, xt_explain_value *v)
{
    show(b, v, of_head(b, "items"));
    xt_explain_rule(b, v, "paths were looked up, but no CWD record came");
    v->is_proved = xt_event_num(b->event, XT_F_ITEMS, 0) > 0 && !xt_event_has(b->event, XT_F_CWD);
}

static void explain_missing_record(xt_explain_build *b, xt_explain_value *v)
{
    show(b, v, of_head(b, "syscall"));
    xt_explain_rule(b, v, "the call promises records that did not come: exectrail.missing says which");
    v->is_proved = !b->is_exec && b->head && has_succeeded(b) && xt_event_has(b->event, XT_F_MISSING);
}

static bool is_kept_word(const xt_event *event, xt_slice name)
{
    xt_rec_iter iter = xt_recs_iterate(xt_event_bytes(event, XT_F_RECORDS));
    xt_rec_field field;
    for (uint16_t type; xt_recs_next(&iter, &type);)
        while (xt_recs_next_field(&iter, &field))
            if (field.form == XT_REC_ENRICHED && xt_slice_eq(field.name, name))
                return true;
    return false;
}

/* Words that only say what the record says are not kept; the record's own value stands beside each that is. */
static void explain_enriched(xt_explain_build *b, xt_explain_value *v)
{
    xt_explain_rule(b, v, "what auditd appended contradicts the record's own value, which counts");
    for (size_t i = 0; i < b->n_sources; i++) {
        const xt_explain_source *word = &b->sources[i];
        if (word->place != XT_EXPLAIN_ENRICHED || !is_kept_word(b->event, word->field.name))
            continue;
        show(b, v, word);
        for (size_t k = 0; k < b->n_sources; k++)
            if (b->sources[k].record == word->record && b->sources[k].place == XT_EXPLAIN_BODY &&
                xt_slice_eq_nocase(b->sources[k].field.name, word->field.name))
                show(b, v, &b->sources[k]);
        v->is_proved = true;
        return;
    }
}

static void explain_late(xt_explain_build *b, xt_explain_value *v)
{
    xt_explain_rule(b, v, "its event (exectrail.of) was given out before this record came");
    v->is_proved = xt_event_has(b->event, XT_F_OF);
}

/* A quote that never ends, a line without a newline, a system call's record without its last fields. */
static void explain_truncated(xt_explain_build *b, xt_explain_value *v)
{
    for (size_t i = 0; i < b->n_sources; i++)
        if (b->sources[i].field.is_cut) {
            show(b, v, &b->sources[i]);
            xt_explain_rule(b, v, "a quote that never ends");
            v->is_proved = true;
            return;
        }
    for (size_t i = 0; i < b->in->n_records; i++)
        if (b->in->records[i].record.flags & XT_RECORD_CUT) {
            xt_slice body = b->in->records[i].record.body;
            xt_explain_bytes_of(b, v, &b->in->records[i], xt_slice_skip(body, body.n > 16 ? body.n - 16 : 0),
                                XT_EXPLAIN_CLUE);
            xt_explain_rule(b, v, "the record ends here: its line is cut, or another record begins");
            v->is_proved = true;
            return;
        }
    bool lacks = b->head && (!of_head(b, "comm") || (of_head(b, "ses") && (!of_head(b, "exe") || !of_head(b, "key"))));
    if (lacks)
        xt_explain_bytes_of(b, v, b->head, b->head->record.body, XT_EXPLAIN_CLUE);
    xt_explain_rule(b, v,
                    lacks ? "the record lacks comm=, exe= or key=, which stand at its end"
                          : "records beyond the limit of one event were dropped, or its typed line was cut");
    v->is_proved = lacks || b->in->is_over_bounds || b->in->typed;
}

static void explain_timeout(xt_explain_build *b, xt_explain_value *v)
{
    xt_explain_rule(b, v, "time or the input ended before its PROCTITLE record, with which an event ends");
    v->is_proved = count_type(b, AUDIT_PROCTITLE) == 0;
}

static void explain_evicted(xt_explain_build *b, xt_explain_value *v)
{
    xt_explain_rule(b, v, "too many events were open: the one longest without a record had to go");
    v->is_proved = b->in->is_over_bounds;
}

static void explain_no_syscall(xt_explain_build *b, xt_explain_value *v)
{
    xt_explain_rule(b, v, "no SYSCALL record came, whose event these records belong to");
    v->is_proved = !b->head && (!b->deciding || count_type(b, AUDIT_PROCTITLE) > 0);
}

static void explain_unparsed(xt_explain_build *b, xt_explain_value *v)
{
    xt_explain_rule(b, v, "the line is no record");
    v->is_proved = b->in->n_records == 0;
}

/* ---- of the program ---- */

static xt_slice base_name(xt_slice path)
{
    const char *slash = path.n > 0 ? memrchr(path.p, '/', path.n) : NULL;
    return slash ? xt_slice_skip(path, (size_t)(slash + 1 - path.p)) : path;
}

static void explain_argv0(xt_explain_build *b, xt_explain_value *v)
{
    xt_slice name = XT_S(""), argv0 = XT_S("");
    const xt_explain_source *given = xt_explain_first_path(b, &name);
    xt_list_iter iter = xt_list_iterate(xt_event_bytes(b->event, XT_F_ARGS));
    bool is_there = xt_list_next(&iter, &argv0);
    if (name.n == 0) /* by a descriptor: there was no name */
        name = xt_event_bytes(b->event, XT_F_EXE);
    show(b, v, xt_explain_find(b, AUDIT_EXECVE, XT_S("a0")));
    show(b, v, of_head(b, "exe"));
    show(b, v, given);
    xt_explain_rule(b, v, "the first argument is neither the program's name nor the one it was started by");
    v->is_proved = is_there && given && !xt_slice_eq(base_name(argv0), base_name(xt_event_bytes(b->event, XT_F_EXE))) &&
                   !xt_slice_eq(base_name(argv0), base_name(name));
}

static void explain_deleted(xt_explain_build *b, xt_explain_value *v)
{
    bool is_memory = xt_slice_eq(v->text, XT_S("memfd"));
    xt_slice exe = xt_event_bytes(b->event, XT_F_EXE);
    show(b, v, of_head(b, "exe"));
    xt_explain_rule(b, v,
                    is_memory ? "the program is a file in memory, which has no name in any folder"
                              : "the file was gone when the exec was logged");
    v->is_proved = xt_slice_ends(exe, XT_S(" (deleted)")) && xt_slice_starts(exe, XT_S("/memfd:")) == is_memory;
}

static void explain_loader(xt_explain_build *b, xt_explain_value *v)
{
    xt_slice name = base_name(xt_event_bytes(b->event, XT_F_EXE));
    show(b, v, of_head(b, "exe"));
    xt_explain_rule(b, v, "the program is the dynamic loader, and its arguments name the one to run");
    v->is_proved = xt_slice_starts(name, XT_S("ld")) && xt_slice_find(name, XT_S(".so")) > 0 &&
                   xt_list_count(xt_event_bytes(b->event, XT_F_ARGS)) > 1;
}

static void explain_typed_flag(xt_explain_build *b, xt_explain_value *v)
{
    xt_list_iter iter = xt_list_iterate(b->in->typed ? xt_event_bytes(b->in->typed, XT_F_FLAGS) : XT_S_NULL);
    xt_explain_rule(b, v,
                    xt_slice_eq(v->text, XT_S("masked"))
                        ? "keys were typed at a program that asks for passwords (comm=)"
                        : "a program put keys into the terminal (TIOCSTI)");
    show(b, v, xt_explain_find(b, 0, XT_S("comm")));
    for (xt_slice flag; xt_list_next(&iter, &flag);)
        v->is_proved |= xt_slice_eq(flag, v->text);
}

static const struct {
    const char *flag;
    void (*explain)(xt_explain_build *b, xt_explain_value *v);
} ways[] = {
    {"missing-execve", explain_missing_execve},
    {"missing-args", explain_missing_args},
    {"args-mismatch", explain_mismatch},
    {"missing-path", explain_missing_path},
    {"late", explain_late},
    {"truncated", explain_truncated},
    {"timeout", explain_timeout},
    {"evicted", explain_evicted},
    {"no-syscall", explain_no_syscall},
    {"unparsed", explain_unparsed},
    {"argv0-mismatch", explain_argv0},
    {"memfd", explain_deleted},
    {"deleted", explain_deleted},
    {"loader", explain_loader},
    {"missing-cwd", explain_missing_cwd},
    {"masked", explain_typed_flag},
    {"injected", explain_typed_flag},
    {"missing-record", explain_missing_record},
    {"enriched-mismatch", explain_enriched},
};

void xt_explain_flags(xt_explain_build *b, xt_field field)
{
    xt_list_iter iter = xt_list_iterate(xt_event_bytes(b->event, field));
    unsigned n = 0;
    for (xt_slice flag; xt_list_next(&iter, &flag); n++) {
        xt_explain_value *v = xt_explain_row_of(b, field, xt_explain_format(b, "exectrail.flags[%u]", n), flag);
        for (size_t i = 0; i < XT_COUNT_OF(ways); i++)
            if (xt_slice_eq(flag, xt_slice_str(ways[i].flag)))
                ways[i].explain(b, v);
    }
}
