/* Printing is exact, as in kql_print: names that a stage gave itself are printed only where they are not its own. */
#include "base/timestamp.h"
#include "query/kql_pipe.h"

static const char *const stage_names[] = {"stats", "sort", "limit", "keep", "where", "dedup", "rare", "first"};
static const char *const stat_names[] = {"count", "count_distinct", "min", "max", "sum", "avg", "values"};

void xt_duration_put(xt_buf *out, int64_t duration_ms)
{
    static const struct {
        int64_t ms;
        const char *unit;
    } units[] = {{604800000, "w"}, {86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    size_t i = 0;

    while (duration_ms % units[i].ms)
        i++;
    xt_buf_put_sdec(out, duration_ms / units[i].ms);
    xt_buf_puts(out, units[i].unit);
}

/* What computes a column, unless its name says so already. */
static void print_computed(const char *name, const xt_buf *formula, xt_buf *out)
{
    if (!xt_slice_eq(xt_slice_str(name), xt_buf_slice(formula)))
        xt_buf_printf(out, "%s = ", name);
    xt_buf_put(out, xt_buf_slice(formula));
    out->failed |= formula->failed;
}

static void print_key(const xt_stage *stage, const xt_stage_key *key, xt_buf *out)
{
    XT_CLEANUP(xt_buf_fini) xt_buf formula = XT_BUF_INIT;

    if (!key->bin_ms) {
        xt_buf_puts(out, xt_column_name(key->of));
        if (stage->kind == XT_STAGE_SORT && key->descending)
            xt_buf_puts(out, " desc");
        return;
    }
    xt_buf_printf(&formula, "bin(%s, ", xt_column_name(key->of));
    xt_duration_put(&formula, key->bin_ms);
    xt_buf_putc(&formula, ')');
    print_computed(key->column->name, &formula, out);
}

static void print_stat(const xt_stage_stat *stat, xt_buf *out)
{
    XT_CLEANUP(xt_buf_fini) xt_buf formula = XT_BUF_INIT;

    xt_buf_printf(&formula, "%s(%s)", stat_names[stat->stat], stat->of ? xt_column_name(stat->of) : "");
    print_computed(stat->column->name, &formula, out);
}

void xt_stage_print(const xt_stage *stage, xt_buf *out)
{
    xt_buf_printf(out, "%s ", stage_names[stage->kind]);
    if (stage->kind == XT_STAGE_LIMIT)
        xt_buf_put_dec(out, stage->limit);
    if (stage->kind == XT_STAGE_WHERE)
        xt_kql_print(stage->where, out);
    for (size_t i = 0; i < stage->n_stats && stage->kind == XT_STAGE_STATS; i++) {
        xt_buf_puts(out, i ? ", " : "");
        print_stat(&stage->stats[i], out);
    }
    if (stage->kind == XT_STAGE_STATS && stage->n_keys)
        xt_buf_puts(out, " by ");
    for (size_t i = 0; i < stage->n_keys; i++) {
        xt_buf_puts(out, i ? ", " : "");
        print_key(stage, &stage->keys[i], out);
    }
}

void xt_kql_pipe_print(const xt_kql_pipe *pipe, xt_buf *out)
{
    xt_kql_print(pipe->filter, out);
    for (size_t i = 0; i < pipe->n_stages; i++) {
        xt_buf_puts(out, " | ");
        xt_stage_print(&pipe->stages[i], out);
    }
}

static bool stage_equal(const xt_stage *a, const xt_stage *b)
{
    if (a->kind != b->kind || a->n_keys != b->n_keys || a->n_stats != b->n_stats || a->limit != b->limit ||
        !xt_kql_equal(a->where, b->where))
        return false;
    for (size_t i = 0; i < a->n_keys; i++)
        if (!xt_column_same(a->keys[i].of, b->keys[i].of) || !xt_column_same(a->keys[i].column, b->keys[i].column) ||
            a->keys[i].bin_ms != b->keys[i].bin_ms || a->keys[i].descending != b->keys[i].descending)
            return false;
    for (size_t i = 0; i < a->n_stats; i++)
        if (a->stats[i].stat != b->stats[i].stat || !xt_column_same(a->stats[i].of, b->stats[i].of) ||
            !xt_column_same(a->stats[i].column, b->stats[i].column))
            return false;
    return true;
}

bool xt_kql_pipe_equal(const xt_kql_pipe *a, const xt_kql_pipe *b)
{
    if (a->n_stages != b->n_stages || !xt_kql_equal(a->filter, b->filter))
        return false;
    for (size_t i = 0; i < a->n_stages; i++)
        if (!stage_equal(&a->stages[i], &b->stages[i]))
            return false;
    return true;
}
