/*
 * Stages are parsed one after another, each with the columns that the one before it leaves: a name that does not exist
 * there is an error at its place. A computed column is a row like those of the schema, with no id.
 */
#include "query/kql_pipe.h"

#include <errno.h>

#include "base/timestamp.h"
#include "query/kql_term.h"

static const char *const stage_names[] = {"stats", "sort", "limit", "keep", "where", "dedup", "rare", "first"};
static const char *const stat_names[] = {"count", "count_distinct", "min", "max", "sum", "avg", "values"};

typedef struct parser {
    xt_kql_context context;
    size_t pos;
    xt_kql_scope scope; /* of the stage at hand, while context.scope is set */
    bool of_events;
    bool folds; /* only where, sort and keep before: a where can still be a part of the filter */
} parser;

/* ------------------------------------------------------------------------------------------------ words */

static char peek(parser *p)
{
    xt_slice text = p->context.text;

    while (p->pos < text.n && strchr(" \t\r\n", text.p[p->pos]) && text.p[p->pos])
        p->pos++;
    return p->pos < text.n ? text.p[p->pos] : '\0';
}

static bool at_end(parser *p)
{
    peek(p);
    return p->pos == p->context.text.n;
}

/* The word at pos, which may be empty; does not move. */
static xt_slice peek_word(parser *p)
{
    peek(p);
    xt_slice rest = xt_slice_skip(p->context.text, p->pos);
    size_t n = 0;
    while (n < rest.n &&
           ((rest.p[n] >= '0' && rest.p[n] <= '9') || ((rest.p[n] | 0x20) >= 'a' && (rest.p[n] | 0x20) <= 'z') ||
            (rest.p[n] && strchr("_.-@", rest.p[n]))))
        n++;
    return xt_slice_head(rest, n);
}

static bool take_word(parser *p, const char *word)
{
    xt_slice here = peek_word(p);

    if (!xt_slice_eq_nocase(here, xt_slice_str(word)))
        return false;
    p->pos += here.n;
    return true;
}

static bool take_char(parser *p, char c)
{
    if (at_end(p) || peek(p) != c)
        return false;
    p->pos++;
    return true;
}

/* Something else should stand at pos. */
static int no_word(parser *p, const char *what)
{
    xt_slice word = peek_word(p);

    if (at_end(p))
        return xt_kql_fault(&p->context, p->pos, 0, "the query ends where %s should stand", what);
    return xt_kql_fault(&p->context, p->pos, word.n ? word.n : 1, "%s should stand here", what);
}

static int find_name(parser *p, const char *const *names, size_t n, const char *what, size_t *ret)
{
    xt_slice word = peek_word(p);

    for (size_t i = 0; i < n; i++)
        if (xt_slice_eq_nocase(word, xt_slice_str(names[i]))) {
            p->pos += word.n;
            *ret = i;
            return 0;
        }
    if (word.n == 0)
        return no_word(p, what);
    int r = xt_kql_fault(&p->context, p->pos, word.n, "there is no %s of this name", what + 2);
    const char *near = xt_name_nearest(word, names, n);
    if (near)
        xt_problem_hint(p->context.problem, "did you mean %s?", near);
    else if (names == stage_names)
        xt_problem_hint(
            p->context.problem,
            "there are: stats, sort, limit, keep, where, dedup, rare, first; a | in a value goes in quotes");
    else
        xt_problem_hint(p->context.problem, "there are: count(), count_distinct(f), min(f), max(f), sum(f), avg(f), "
                                            "values(f)");
    return r;
}

/* ------------------------------------------------------------------------------------------------ columns */

static int column_new(parser *p, xt_slice name, xt_type type, unsigned flags, const xt_field_info **ret)
{
    xt_field_info *column = xt_arena_new(p->context.arena, xt_field_info);
    xt_slice copy = xt_arena_copy(p->context.arena, name);

    if (!column || !copy.p)
        return xt_error_origin(-ENOMEM);
    *column = (xt_field_info){XT_F_INVALID, "", copy.p, type, "", "", flags, ""};
    *ret = column;
    return 0;
}

static int field_of_events(parser *p, xt_slice word, const xt_field_info **ret)
{
    const xt_field_info *field = xt_field_by_name(word);
    int r = 0;

    if (!field) {
        const char *near = xt_field_nearest(word);
        r = xt_kql_fault(&p->context, p->pos, word.n, "there is no field of this name");
        if (xt_slice_starts_nocase(word, XT_S("auditd.data.")))
            xt_problem_hint(p->context.problem,
                            "fields of records that docs/schema.md does not list work before the first | alone");
        else if (near)
            xt_problem_hint(p->context.problem, "did you mean %s?", near);
    } else if (field->type == XT_PATHS || field->type == XT_RECORDS) {
        r = xt_kql_fault(&p->context, p->pos, word.n, "%s is no column", field->name);
        if (field->type == XT_PATHS)
            xt_problem_hint(p->context.problem, "for names of files there is path");
    } else {
        *ret = field;
    }
    return r;
}

/* Takes the column that is named at pos. */
static int take_column(parser *p, const xt_field_info **ret)
{
    xt_slice word = peek_word(p);
    size_t n = word.n;
    int r = 0;

    if (!p->context.scope) {
        if (n == 0)
            return no_word(p, "a field");
        r = field_of_events(p, word, ret);
    } else {
        size_t n_computed = xt_kql_scope_match(&p->scope, p->context.text, p->pos);
        n = n_computed > n ? n_computed : n;
        if (n == 0)
            return no_word(p, "a column");
        *ret = xt_kql_scope_find(&p->scope, xt_slice_head(xt_slice_skip(p->context.text, p->pos), n));
        if (!*ret)
            r = xt_kql_fault_column(&p->context, &p->scope, p->pos, n);
    }
    if (r == 0)
        p->pos += n;
    return r;
}

/* What a column is in the rows that are made by it: of a list one item. */
static int column_by(parser *p, xt_stage_key *key)
{
    xt_field_info *item;

    key->column = key->of;
    if (key->of->type != XT_LIST)
        return 0;
    item = xt_arena_new(p->context.arena, xt_field_info);
    if (!item)
        return xt_error_origin(-ENOMEM);
    *item = *key->of;
    item->type = XT_TEXT;
    key->column = item;
    return 0;
}

static int keys_new(parser *p, xt_stage *stage, size_t n)
{
    stage->keys = xt_arena_array(p->context.arena, n, sizeof *stage->keys);
    return stage->keys ? 0 : xt_error_origin(-ENOMEM);
}

/* Columns with commas between them, at most max. */
static int parse_columns(parser *p, xt_stage *stage, size_t max)
{
    int r = keys_new(p, stage, max);

    while (r == 0) {
        xt_stage_key *key = &stage->keys[stage->n_keys];
        peek(p);
        size_t at = p->pos;
        if (stage->n_keys == max)
            return xt_kql_fault(&p->context, at, peek_word(p).n, "at most %zu columns can stand here", max);
        r = take_column(p, &key->of);
        for (size_t i = 0; i < stage->n_keys && r == 0; i++)
            if (xt_column_same(stage->keys[i].of, key->of))
                r = xt_kql_fault(&p->context, at, p->pos - at, "this column stands here twice");
        key->column = key->of;
        if (r == 0 && (stage->kind == XT_STAGE_RARE || stage->kind == XT_STAGE_FIRST))
            r = column_by(p, key);
        if (r)
            return r;
        stage->n_keys++;
        if (stage->kind == XT_STAGE_SORT) {
            key->descending = take_word(p, "desc");
            if (!key->descending)
                (void)take_word(p, "asc");
        }
        if (!take_char(p, ','))
            break;
    }
    return r;
}

/* ------------------------------------------------------------------------------------------------ stats */

/* `name =` before what it names; n 0 when there is none. */
static int take_name(parser *p, xt_slice *ret)
{
    xt_slice word = peek_word(p);
    size_t back = p->pos;

    *ret = XT_S_NULL;
    p->pos += word.n;
    if (word.n == 0 || !take_char(p, '=')) {
        p->pos = back;
        return 0;
    }
    bool letter = (word.p[0] | 0x20) >= 'a' && (word.p[0] | 0x20) <= 'z';
    if (!letter || xt_kql_is_keyword(word) || xt_slice_eq_nocase(word, XT_S("by")) || xt_field_by_name(word) ||
        word.n > 64) {
        int r = xt_kql_fault(&p->context, back, word.n, "a column cannot be given this name");
        xt_problem_hint(p->context.problem, "a name begins with a letter, has at most 64 letters, digits, . _ - and is "
                                            "neither a field nor a word of the language");
        return r;
    }
    *ret = word;
    return 0;
}

static bool is_column(const xt_stage *stage, xt_slice name)
{
    for (size_t i = 0; i < stage->n_stats; i++)
        if (xt_slice_eq_nocase(name, xt_slice_str(stage->stats[i].column->name)))
            return true;
    for (size_t i = 0; i < stage->n_keys; i++)
        if (xt_slice_eq_nocase(name, xt_slice_str(stage->keys[i].column->name)))
            return true;
    return false;
}

/* The column for what stands in `formula`, or of the name that it was given. */
static int column_named(parser *p, const xt_stage *stage, size_t at, xt_slice name, xt_buf *formula, xt_type type,
                        unsigned flags, const xt_field_info **ret)
{
    xt_slice text = name.n ? name : xt_buf_slice(formula);
    int r = xt_buf_done(formula);

    if (r)
        return xt_error_trace(r);
    if (is_column(stage, text))
        return xt_kql_fault(&p->context, at, p->pos - at, "a column of this name is there already");
    return column_new(p, text, type, flags, ret);
}

static int check_stat(parser *p, size_t at, xt_stat stat, const xt_field_info *of)
{
    bool adds = stat == XT_STAT_SUM || stat == XT_STAT_AVG, orders = stat == XT_STAT_MIN || stat == XT_STAT_MAX;

    if (adds && !xt_column_is_number(of))
        return xt_kql_fault(&p->context, at, p->pos - at, "%s takes a field of numbers, and %s is none",
                            stat_names[stat], xt_column_name(of));
    if (adds && of->flags & XT_COLUMN_REAL)
        return xt_kql_fault(&p->context, at, p->pos - at, "%s takes whole numbers, and %s has decimals",
                            stat_names[stat], xt_column_name(of));
    if (orders && of->type == XT_LIST)
        return xt_kql_fault(&p->context, at, p->pos - at, "%s takes a field with one value, and %s may have several",
                            stat_names[stat], xt_column_name(of));
    return 0;
}

/* The type of what is computed: sums keep that of the field. */
static xt_type type_of(const xt_stage_stat *stat, unsigned *ret_flags)
{
    *ret_flags = 0;
    switch (stat->stat) {
    case XT_STAT_COUNT:
    case XT_STAT_COUNT_DISTINCT:
        return XT_UINT;
    case XT_STAT_VALUES:
        return XT_LIST;
    case XT_STAT_AVG:
        *ret_flags = XT_COLUMN_REAL;
        return XT_INT;
    default:
        *ret_flags = stat->of->flags & (XT_COLUMN_REAL | XT_ID);
        return stat->of->type;
    }
}

/* What stands between the parentheses of a function. */
static int parse_argument(parser *p, xt_stage_stat *stat)
{
    size_t at;

    if (!take_char(p, '('))
        return no_word(p, "an opening parenthesis");
    peek(p);
    at = p->pos;
    if (stat->stat == XT_STAT_COUNT)
        (void)take_char(p, '*');
    if (stat->stat == XT_STAT_COUNT && peek(p) != ')') {
        int r = xt_kql_fault(&p->context, p->pos, peek_word(p).n, "count() counts rows and takes no field");
        xt_problem_hint(p->context.problem,
                        "count_distinct(f) counts values; for rows that have the field there is where f:*");
        return r;
    }
    int r = stat->stat == XT_STAT_COUNT ? 0 : take_column(p, &stat->of);
    if (r == 0 && stat->of)
        r = check_stat(p, at, stat->stat, stat->of);
    if (r == 0 && !take_char(p, ')'))
        r = no_word(p, "a closing parenthesis");
    return r;
}

static int parse_stat(parser *p, xt_stage *stage)
{
    XT_CLEANUP(xt_buf_fini) xt_buf formula = XT_BUF_INIT;
    xt_stage_stat *stat = &stage->stats[stage->n_stats];
    xt_slice name;
    size_t which = 0;
    unsigned flags;

    peek(p);
    size_t at = p->pos;
    if (stage->n_stats == XT_PIPE_MAX_STATS)
        return xt_kql_fault(&p->context, at, 0, "stats computes at most %d columns", XT_PIPE_MAX_STATS);
    int r = take_name(p, &name);
    if (r == 0)
        r = find_name(p, stat_names, XT_COUNT_OF(stat_names), "a function", &which);
    stat->stat = (xt_stat)which;
    if (r == 0)
        r = parse_argument(p, stat);
    if (r)
        return r;
    xt_type type = type_of(stat, &flags);
    xt_buf_printf(&formula, "%s(%s)", stat_names[which], stat->of ? xt_column_name(stat->of) : "");
    r = column_named(p, stage, at, name, &formula, type, flags, &stat->column);
    stage->n_stats += r == 0;
    return r;
}

/* 1h, or as ES|QL has it: 1 hour. */
static int parse_duration(parser *p, int64_t *ret)
{
    static const char *const words[] = {"second", "minute", "hour", "day", "week"};
    static const char units[] = "smhdw";
    char text[40];
    xt_buf out = XT_BUF_ON(text);
    xt_problem why = XT_PROBLEM_INIT;
    xt_slice word = peek_word(p);
    size_t at = p->pos;

    p->pos += word.n;
    xt_buf_put(&out, word);
    xt_slice unit = peek_word(p);
    for (size_t i = 0; i < XT_COUNT_OF(words); i++)
        if (unit.n && xt_slice_eq_nocase(xt_slice_head(unit, strlen(words[i])), xt_slice_str(words[i])) &&
            unit.n <= strlen(words[i]) + 1) {
            xt_buf_putc(&out, units[i]);
            p->pos += unit.n;
        }
    int r = out.failed ? XT_TIMESTAMP_E_INVALID : xt_duration_parse(xt_buf_slice(&out), ret, &why);
    if (r < 0)
        return xt_error_trace(r);
    if (r == 0 && *ret > 0 && *ret <= XT_TIMESTAMP_MAX_MS)
        return 0;
    r = xt_kql_fault(&p->context, at, word.n ? word.n : 1, "a length of time should stand here");
    xt_problem_hint(p->context.problem, "15m, 1h, 1d, 1 hour");
    return r;
}

static int parse_bin(parser *p, xt_stage *stage, xt_stage_key *key, size_t at, xt_slice name)
{
    XT_CLEANUP(xt_buf_fini) xt_buf formula = XT_BUF_INIT;

    if (!take_char(p, '('))
        return no_word(p, "an opening parenthesis");
    peek(p);
    size_t at_field = p->pos;
    int r = take_column(p, &key->of);
    if (r == 0 && key->of->type != XT_TIME)
        r = xt_kql_fault(&p->context, at_field, p->pos - at_field, "bin takes a time, and %s is none",
                         xt_column_name(key->of));
    if (r == 0 && !take_char(p, ','))
        r = no_word(p, "a comma and a length of time");
    if (r == 0)
        r = parse_duration(p, &key->bin_ms);
    if (r == 0 && !take_char(p, ')'))
        r = no_word(p, "a closing parenthesis");
    if (r)
        return r;
    xt_buf_printf(&formula, "bin(%s, ", xt_column_name(key->of));
    xt_duration_put(&formula, key->bin_ms);
    xt_buf_putc(&formula, ')');
    return column_named(p, stage, at, name, &formula, XT_TIME, 0, &key->column);
}

static int parse_by(parser *p, xt_stage *stage)
{
    xt_slice name;
    int r = keys_new(p, stage, XT_PIPE_MAX_BY);

    do {
        xt_stage_key *key = &stage->keys[stage->n_keys];
        peek(p);
        size_t at = p->pos;
        if (r == 0 && stage->n_keys == XT_PIPE_MAX_BY)
            r = xt_kql_fault(&p->context, at, peek_word(p).n, "by takes at most %d fields", XT_PIPE_MAX_BY);
        if (r == 0)
            r = take_name(p, &name);
        if (r)
            return r;
        size_t n_column = p->context.scope ? xt_kql_scope_match(&p->scope, p->context.text, p->pos) : 0;
        if (n_column == 0 && (take_word(p, "bin") || take_word(p, "bucket"))) {
            r = parse_bin(p, stage, key, at, name);
        } else if (name.n) {
            r = no_word(p, "bin(time, 1h), which alone is given a name,");
        } else {
            r = take_column(p, &key->of);
            if (r == 0)
                r = column_by(p, key);
            if (r == 0 && is_column(stage, xt_slice_str(key->of->name)))
                r = xt_kql_fault(&p->context, at, p->pos - at, "a column of this name is there already");
        }
        stage->n_keys += r == 0;
    } while (r == 0 && take_char(p, ','));
    return r;
}

static int parse_stats(parser *p, xt_stage *stage)
{
    int r = 0;

    stage->stats = xt_arena_array(p->context.arena, XT_PIPE_MAX_STATS, sizeof *stage->stats);
    if (!stage->stats)
        return xt_error_origin(-ENOMEM);
    do {
        r = parse_stat(p, stage);
    } while (r == 0 && take_char(p, ','));
    if (r == 0 && take_word(p, "by"))
        r = parse_by(p, stage);
    return r;
}

/* ------------------------------------------------------------------------------------------------ other stages */

/* What rare and first compute beside their fields. */
static int add_stat(parser *p, xt_stage *stage, xt_stat stat, const xt_field_info *of, const char *name)
{
    xt_stage_stat *to;
    unsigned flags;

    if (!stage->stats)
        stage->stats = xt_arena_array(p->context.arena, 2, sizeof *stage->stats);
    if (!stage->stats)
        return xt_error_origin(-ENOMEM);
    to = &stage->stats[stage->n_stats++];
    *to = (xt_stage_stat){.stat = stat, .of = of};
    xt_type type = type_of(to, &flags);
    return column_new(p, xt_slice_str(name), type, flags, &to->column);
}

static int parse_rare(parser *p, xt_stage *stage)
{
    int r = parse_columns(p, stage, XT_PIPE_MAX_BY);

    for (size_t i = 0; i < stage->n_keys && r == 0; i++)
        if (xt_slice_eq_nocase(xt_slice_str(stage->keys[i].of->name), XT_S("count()")))
            r = xt_kql_fault(&p->context, stage->column_at - 1, 4,
                             "rare counts rows itself: count() cannot be its field");
    return r ? r : add_stat(p, stage, XT_STAT_COUNT, NULL, "count()");
}

static int parse_first(parser *p, xt_stage *stage)
{
    int r = 0;

    if (!p->folds) {
        r = xt_kql_fault(&p->context, stage->column_at - 1, 5, "first looks at all events that are stored");
        xt_problem_hint(p->context.problem, "it stands directly behind the query");
        return r;
    }
    r = parse_columns(p, stage, 1);
    if (r == 0)
        r = add_stat(p, stage, XT_STAT_MIN, xt_field_find(XT_F_TIME), "first_seen");
    return r ? r : add_stat(p, stage, XT_STAT_COUNT, NULL, "count()");
}

static int parse_limit(parser *p, xt_stage *stage)
{
    xt_slice word = peek_word(p);

    if (word.n == 0 || !xt_slice_parse_u64(word, &stage->limit))
        return no_word(p, "a number of rows");
    if (stage->limit == 0)
        return xt_kql_fault(&p->context, p->pos, word.n, "a limit is at least 1");
    p->pos += word.n;
    return 0;
}

/* Behind limit and dedup rows hold columns, not records. */
static int check_where(parser *p, const xt_kql_node *node)
{
    int r = 0;

    if (!node)
        return 0;
    bool whole = node->kind >= XT_KQL_EQUAL &&
                 (!node->field || node->field->type == XT_PATHS || node->field->type == XT_RECORDS);
    if (whole) {
        r = xt_kql_fault(&p->context, node->column - 1, 0,
                         "what stands in records alone cannot be asked for at this stage");
        xt_problem_hint(p->context.problem, "ask for it before the first |");
        return r;
    }
    r = check_where(p, node->left);
    return r ? r : check_where(p, node->right);
}

static int parse_where(parser *p, xt_stage *stage)
{
    if (at_end(p) || peek(p) == '|')
        return no_word(p, "a query");
    int r = xt_kql_parse_part(&p->context, &p->pos, &stage->where);
    return r || p->folds ? r : check_where(p, stage->where);
}

static int parse_stage(parser *p, xt_stage *stage)
{
    switch (stage->kind) {
    case XT_STAGE_STATS:
        return parse_stats(p, stage);
    case XT_STAGE_SORT:
    case XT_STAGE_KEEP:
    case XT_STAGE_DEDUP:
        return parse_columns(p, stage, XT_PIPE_MAX_COLUMNS);
    case XT_STAGE_LIMIT:
        return parse_limit(p, stage);
    case XT_STAGE_WHERE:
        return parse_where(p, stage);
    case XT_STAGE_RARE:
        return parse_rare(p, stage);
    case XT_STAGE_FIRST:
        return parse_first(p, stage);
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ pipe */

/* What the next stage has to work with. */
static int leave_columns(parser *p, xt_stage *stage)
{
    bool makes = stage->n_stats > 0;

    p->of_events &= !makes;
    p->folds &= stage->kind == XT_STAGE_WHERE || stage->kind == XT_STAGE_SORT || stage->kind == XT_STAGE_KEEP;
    if (makes || stage->kind == XT_STAGE_KEEP) {
        const xt_field_info **columns =
            xt_arena_array(p->context.arena, stage->n_keys + stage->n_stats, sizeof(*columns));
        if (!columns)
            return xt_error_origin(-ENOMEM);
        p->scope = (xt_kql_scope){columns, 0};
        for (size_t i = 0; i < stage->n_keys; i++)
            columns[p->scope.n++] = stage->keys[i].column;
        for (size_t i = 0; i < stage->n_stats; i++)
            columns[p->scope.n++] = stage->stats[i].column;
        p->context.scope = &p->scope;
    }
    stage->gives_events = p->of_events;
    stage->columns = p->scope.columns;
    stage->n_columns = p->scope.n;
    return 0;
}

static int parse_pipe(parser *p, xt_kql_pipe *pipe)
{
    int r = xt_kql_parse_part(&p->context, &p->pos, &pipe->filter);

    while (r == 0 && take_char(p, '|')) {
        size_t kind = 0;
        peek(p);
        if (pipe->n_stages == XT_PIPE_MAX_STAGES)
            return xt_kql_fault(&p->context, p->pos, 0, "a query has at most %d stages", XT_PIPE_MAX_STAGES);
        xt_stage *stage = &pipe->stages[pipe->n_stages];
        stage->column_at = (uint32_t)p->pos + 1;
        r = find_name(p, stage_names, XT_COUNT_OF(stage_names), "a stage", &kind);
        stage->kind = (xt_stage_kind)kind;
        if (r == 0)
            r = parse_stage(p, stage);
        if (r == 0 && !at_end(p) && peek(p) != '|')
            r = no_word(p, "the end of the stage, or a |,");
        if (r == 0)
            r = leave_columns(p, stage);
        pipe->n_stages += r == 0;
    }
    return r;
}

int xt_kql_pipe_parse(xt_slice text, int64_t now_ms, xt_arena *arena, xt_kql_pipe **ret, xt_problem *reterr_problem)
{
    xt_problem ignored = XT_PROBLEM_INIT;
    parser p = {.context = {.text = text,
                            .now_ms = now_ms,
                            .arena = arena,
                            .problem = reterr_problem ? reterr_problem : &ignored},
                .of_events = true,
                .folds = true};

    if (text.n > XT_KQL_MAX_BYTES)
        return xt_kql_fault(&p.context, XT_KQL_MAX_BYTES, 0, "a query has at most %u bytes", XT_KQL_MAX_BYTES);
    xt_kql_pipe *pipe = xt_arena_new(arena, xt_kql_pipe);
    if (pipe)
        pipe->stages = xt_arena_array(arena, XT_PIPE_MAX_STAGES, sizeof *pipe->stages);
    if (!pipe || !pipe->stages)
        return xt_error_origin(-ENOMEM);
    int r = parse_pipe(&p, pipe);
    if (r == 0)
        *ret = pipe;
    return r;
}
