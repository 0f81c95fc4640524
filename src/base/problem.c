/*
 * Fixed fields, so that a problem can be made when memory is out. What comes from outside may be in any of them, so
 * printing makes all of them visible; the excerpt already is.
 */
#include "base/problem.h"

#include <stdio.h>

#include "base/utf8.h"

/* Bytes at the end of text that begin a sequence and do not end it. */
static size_t broken_tail(xt_slice text)
{
    size_t n = 1;

    while (n < 4 && n < text.n && ((uint8_t)text.p[text.n - n] & 0xc0) == 0x80)
        n++;
    xt_slice tail = xt_slice_skip(text, text.n - (n < text.n ? n : text.n));
    return tail.n && (uint8_t)tail.p[0] >= 0xc0 && xt_utf8_sequence(tail) == 0 ? tail.n : 0;
}

/* Prints into a field; what does not fit is cut between characters. */
static void XT_PRINTF(3, 0) print_field(char *field, size_t size, const char *format, va_list args)
{
    char text[512]; /* apart, because args may point into the field */
    size_t max = size < sizeof text ? size : sizeof text;
    int n_wanted = vsnprintf(text, max, format, args);
    size_t n = n_wanted < 0 ? 0 : strnlen(text, max);

    if (n_wanted >= (int)max)
        n -= broken_tail(xt_slice_of(text, n));
    memcpy(field, text, n);
    field[n] = '\0';
}

void xt_problem_set(xt_problem *problem, const char *format, ...)
{
    va_list args;

    if (!problem)
        return;
    va_start(args, format);
    print_field(problem->sentence, sizeof problem->sentence, format, args);
    va_end(args);
    problem->line = problem->column = 0;
    problem->offset = -1;
    problem->hint[0] = problem->excerpt[0] = '\0';
}

void xt_problem_hint(xt_problem *problem, const char *format, ...)
{
    va_list args;

    if (!problem)
        return;
    va_start(args, format);
    print_field(problem->hint, sizeof problem->hint, format, args);
    va_end(args);
}

static void XT_PRINTF(3, 4) set_field(char *field, size_t size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    print_field(field, size, format, args);
    va_end(args);
}

void xt_problem_source(xt_problem *problem, const char *source)
{
    if (problem)
        set_field(problem->source, sizeof problem->source, "%s", source ? source : "");
}

void xt_problem_at(xt_problem *problem, uint64_t line, uint64_t column)
{
    if (problem) {
        problem->line = line;
        problem->column = column;
    }
}

void xt_problem_at_offset(xt_problem *problem, int64_t offset)
{
    if (problem)
        problem->offset = offset;
}

void xt_problem_excerpt(xt_problem *problem, xt_slice s)
{
    static const char more[] = "...";

    if (!problem)
        return;
    xt_buf out = XT_BUF_ON(problem->excerpt);
    out.max_bytes -= sizeof more - 1;
    bool whole = xt_text_visible_head(&out, s);
    memcpy(problem->excerpt + out.n, whole ? "" : more, whole ? 1 : sizeof more);
}

static void put_place(const xt_problem *problem, xt_buf *out)
{
    if (problem->source[0])
        xt_text_visible(out, xt_slice_str(problem->source));
    else if (problem->line)
        xt_buf_puts(out, "line ");
    if (problem->line) {
        if (problem->source[0])
            xt_buf_putc(out, ':');
        xt_buf_put_dec(out, problem->line);
        if (problem->column) {
            xt_buf_putc(out, ':');
            xt_buf_put_dec(out, problem->column);
        }
    }
    if (problem->source[0] || problem->line)
        xt_buf_puts(out, ": ");
    if (!problem->line && problem->offset >= 0)
        xt_buf_printf(out, "byte %lld: ", (long long)problem->offset);
}

void xt_problem_format(const xt_problem *problem, xt_buf *out)
{
    if (!problem)
        return;
    put_place(problem, out);
    xt_text_visible(out, xt_slice_str(problem->sentence));
    if (problem->excerpt[0]) {
        xt_buf_puts(out, " (near \"");
        xt_text_visible(out, xt_slice_str(problem->excerpt));
        xt_buf_puts(out, "\")");
    }
    if (problem->hint[0]) {
        xt_buf_puts(out, "; ");
        xt_text_visible(out, xt_slice_str(problem->hint));
    }
}
