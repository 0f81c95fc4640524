/* The numbers come from the answer; the words beside them are docs/query.md's. */
#include "cli/explain_print.h"

static long long number(const json_t *object, const char *name)
{
    return (long long)json_integer_value(json_object_get(object, name));
}

static void print_term(const json_t *term, FILE *out)
{
    fprintf(out, "  term %s: ", json_string_value(json_object_get(term, "term")));
    if (number(term, "values_looked_at") + number(term, "dictionary_chunks_skipped") == 0)
        fputs("decided without looking at values\n", out);
    else
        fprintf(out,
                "%lld of %lld values looked at match; dictionary chunks: %lld read, %lld left out by their filter\n",
                number(term, "values_matched"), number(term, "values_looked_at"),
                number(term, "dictionary_chunks_read"), number(term, "dictionary_chunks_skipped"));
}

void xt_explain_print(const json_t *explain, FILE *out)
{
    size_t i;
    json_t *term;
    fprintf(out, "exectrail: explained\n  segments: %lld, left out whole by their times: %lld\n",
            number(explain, "segments"), number(explain, "segments_skipped"));
    fprintf(
        out,
        "  row groups: %lld; left out by their times %lld, by ranges of numbers and times %lld, by their values %lld; "
        "read %lld\n",
        number(explain, "parts"), number(explain, "parts_skipped_by_time"), number(explain, "parts_skipped_by_range"),
        number(explain, "parts_skipped_by_values"), number(explain, "parts_read"));
    json_array_foreach(json_object_get(explain, "terms"), i, term) print_term(term, out);
    json_array_foreach(json_object_get(explain, "stages"), i, term)
        fprintf(out, "  stage %s: rows in %lld, out %lld\n", json_string_value(json_object_get(term, "stage")),
                number(term, "rows_in"), number(term, "rows_out"));
    fprintf(out, "  rows read: %lld, chunks of columns: %lld, bytes: %lld\n", number(explain, "rows_read"),
            number(explain, "chunks_read"), number(explain, "bytes_read"));
    fprintf(
        out,
        "  time: %.3f ms on %lld threads; of all threads: plan %.3f, values %.3f, filter %.3f, work %.3f, finish %.3f "
        "ms\n",
        (double)number(explain, "took_us") / 1e3, number(explain, "threads"), (double)number(explain, "plan_us") / 1e3,
        (double)number(explain, "values_us") / 1e3, (double)number(explain, "filter_us") / 1e3,
        (double)number(explain, "work_us") / 1e3, (double)number(explain, "finish_us") / 1e3);
}
