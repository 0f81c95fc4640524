/* What the event is called, and how it ended. */
#include <linux/audit.h>

#include "event/event_action.h"
#include "event/explain_build.h"

typedef struct cause {
    xt_action action;
    const xt_explain_record *record; /* whose type says so, or */
    const xt_explain_source *call;   /* the system call does */
    const char *rule;
} cause;

static const xt_explain_record *find_type(const xt_explain_build *b, uint16_t type)
{
    for (size_t i = 0; i < b->in->n_records; i++)
        if (b->in->records[i].record.type == type)
            return &b->in->records[i];
    return NULL;
}

static cause find_cause(xt_explain_build *b)
{
    const xt_explain_source *call = xt_explain_find_in_head(b, XT_S("syscall"));
    if (b->in->n_records == 0)
        return (cause){xt_action_unparsed, NULL, NULL, "the line is no record"};
    const xt_explain_record *first = b->in->records, *execve = find_type(b, AUDIT_EXECVE);
    if (xt_event_has(b->event, XT_F_OF))
        return (cause){xt_action_amended, first, NULL, "its event was given out before this record came"};
    if (b->is_exec && execve)
        return (cause){xt_action_executed, execve, NULL, "an event with arguments is an exec"};
    if (b->is_exec)
        return (cause){xt_action_executed, NULL, call, "the system call is an exec"};
    if (b->deciding)
        return (cause){xt_action_of_record(b->deciding->record.type, b->arena), b->deciding, NULL,
                       "by the record's type"};
    if (b->head && xt_event_has(b->event, XT_F_SYSCALL))
        return (cause){xt_action_of_syscall(xt_event_bytes(b->event, XT_F_SYSCALL), b->arena), NULL, call,
                       "by the system call"};
    return (cause){xt_action_of_record(first->record.type, b->arena), first, NULL, "by the first record's type"};
}

void xt_explain_action(xt_explain_build *b, xt_field field)
{
    cause c = find_cause(b);
    xt_slice again = field == XT_F_ACTION ? c.action.name : field == XT_F_CATEGORY ? c.action.category : c.action.type;
    xt_explain_value *v = xt_explain_row(b, field, xt_explain_value_text(b, field));
    if (c.record)
        xt_explain_bytes_of(b, v, c.record, xt_explain_type_word(c.record), XT_EXPLAIN_TABLE);
    else if (c.call)
        xt_explain_source_of(b, v, c.call, XT_EXPLAIN_TABLE);
    xt_explain_rule(b, v, "%s%s", field == XT_F_ACTION ? "" : "of event.action: ", c.rule);
    v->is_proved = xt_slice_eq(xt_event_bytes(b->event, field), again);
}

static const char *outcome_of(xt_slice word)
{
    static const struct {
        const char *word, *outcome;
    } words[] = {{"success", "success"}, {"yes", "success"},     {"1", "success"},  {"failed", "failure"},
                 {"fail", "failure"},    {"failure", "failure"}, {"no", "failure"}, {"0", "failure"}};
    for (size_t i = 0; i < XT_COUNT_OF(words); i++)
        if (xt_slice_eq_nocase(word, xt_slice_str(words[i].word)))
            return words[i].outcome;
    return "unknown";
}

/* The last res= of the record that decides, not behind the word `old`. */
static const xt_explain_source *find_result(const xt_explain_build *b)
{
    const xt_explain_source *found = NULL;
    for (size_t i = 0; i < b->n_sources; i++) {
        const xt_explain_source *s = &b->sources[i];
        if (s->record == b->deciding && s->place != XT_EXPLAIN_ENRICHED && !s->is_old &&
            xt_slice_eq(s->field.name, XT_S("res")))
            found = s;
    }
    return found;
}

void xt_explain_outcome(xt_explain_build *b, xt_field field)
{
    const xt_explain_source *result = b->is_exec ? NULL : find_result(b);
    xt_explain_value *v = xt_explain_row(b, field, xt_explain_value_text(b, field));
    if (result && result->field.value.n > 0) {
        xt_explain_source_of(b, v, result, XT_EXPLAIN_TABLE);
        xt_explain_prove(v, xt_slice_str(outcome_of(result->field.value)));
        return;
    }
    xt_explain_rule(b, v, xt_event_has(b->event, XT_F_SUCCESS) ? "auditd.data.success" : "nothing says how it ended");
    xt_explain_prove(v, xt_slice_str(outcome_of(xt_event_bytes(b->event, XT_F_SUCCESS))));
}
