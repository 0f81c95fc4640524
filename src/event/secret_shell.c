/*
 * A shell's text is cut into words and commands; nothing is run or expanded. A word without quotes is a part of the
 * text; one with quotes is decoded, with a map back to where its bytes stand. What stands in $( ) or `` inside of a
 * quoted word is a text of its own.
 */
#include "event/secret_scan.h"

#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\0';
}

static bool ends_command(char c)
{
    return c == '\n' || c == ';' || c == '|' || c == '&' || c == '(' || c == ')' || c == '`';
}

static bool ends_word(xt_slice text, size_t i)
{
    char c = text.p[i];
    return is_blank(c) || ends_command(c) || c == '<' || c == '>' ||
           (c == '$' && i + 1 < text.n && text.p[i + 1] == '(');
}

/* Behind the quoted run that begins at i, or i when its end is missing. */
static size_t quoted_end(xt_slice text, size_t i)
{
    char quote = text.p[i];
    for (size_t k = i + 1; k < text.n; k++) {
        if (quote == '"' && text.p[k] == '\\')
            k++;
        else if (text.p[k] == quote)
            return k + 1;
    }
    return i;
}

static size_t word_end(xt_slice text, size_t i, bool joined, bool *ret_quoted)
{
    *ret_quoted = false;
    while (i < text.n && !ends_word(text, i)) {
        size_t end = i;
        if (!joined && text.p[i] == '\\') {
            *ret_quoted = true;
            i++;
        } else if (!joined && (text.p[i] == '\'' || text.p[i] == '"')) {
            *ret_quoted = true;
            end = quoted_end(text, i);
        }
        i = end > i ? end : i + 1;
    }
    return i < text.n ? i : text.n;
}

static uint32_t place_of(const xt_secret_word *word, size_t i)
{
    return word->map ? word->map[i] : (uint32_t)(word->base + i * word->unit);
}

static xt_secret_word part_of(const xt_secret_word *word, size_t from, size_t n)
{
    xt_secret_word part = xt_secret_word_part(word, from, n);
    part.in_shell = true;
    return part;
}

typedef struct decoded {
    char *text;
    uint32_t *map;
    size_t n;
} decoded;

static void put(decoded *d, const xt_secret_word *word, size_t i)
{
    d->text[d->n] = word->text.p[i];
    d->map[d->n++] = place_of(word, i);
}

/* Takes quotes and backslashes off [from, end) of the text. */
static void decode(decoded *d, const xt_secret_word *text, size_t from, size_t end)
{
    xt_slice s = xt_slice_head(text->text, end);
    for (size_t i = from; i < end; i++) {
        char c = s.p[i];
        size_t close = c == '\'' || c == '"' ? quoted_end(s, i) : i;
        if (c == '\\' && i + 1 < end) {
            if (s.p[++i] != '\n')
                put(d, text, i);
        } else if (close > i) {
            for (i++; i + 1 < close; i++) {
                bool escapes = c == '"' && s.p[i] == '\\' && i + 2 < close && strchr("\"\\$`", s.p[i + 1]);
                i += escapes;
                put(d, text, i);
            }
        } else {
            put(d, text, i);
        }
    }
}

static xt_secret_word decode_word(xt_secret_scan *scan, const xt_secret_word *text, size_t from, size_t end)
{
    xt_secret_word word = part_of(text, from, end - from);
    decoded d = {.text = xt_secret_scan_alloc(scan, end - from + 1),
                 .map = xt_secret_scan_alloc(scan, (end - from + 1) * sizeof *d.map)};
    if (!d.text || !d.map)
        return word;
    decode(&d, text, from, end);
    word.text = xt_slice_of(d.text, d.n);
    word.map = d.map;
    return word;
}

static void scan_substitution(xt_secret_scan *scan, const xt_secret_word *word)
{
    ptrdiff_t at = xt_slice_find(word->text, XT_S("$("));
    if (at < 0)
        at = xt_slice_find_byte(word->text, '`');
    if (at < 0)
        return;
    xt_secret_word inner = part_of(word, (size_t)at + 1, word->text.n - (size_t)at - 1);
    xt_secret_scan_shell(scan, &inner);
}

/* 2>&1, &>file and <&3 redirect; any other & ends a command. */
static bool redirects(xt_slice text, size_t i)
{
    return text.p[i] == '&' &&
           ((i > 0 && (text.p[i - 1] == '>' || text.p[i - 1] == '<')) || (i + 1 < text.n && text.p[i + 1] == '>'));
}

#define MAX_PRINTED 8

/* What a command writes, or what it is given to read. */
typedef struct printed {
    xt_secret_word words[MAX_PRINTED];
    size_t n;
} printed;

/* A line under way: one command after the other, and what the one before writes to it. */
typedef struct walk {
    xt_secret_command command;
    bool is_empty, prints, awaits_here; /* no word yet; echo or printf; the next word is a here-string */
    bool has_format;                    /* printf: the first word is none of what is written where others follow */
    bool in_group;                      /* between ( and ): all that is written there is read behind it */
    printed out, in, group;
} walk;

static void add_printed(printed *p, const xt_secret_word *word)
{
    if (p->n < MAX_PRINTED)
        p->words[p->n++] = *word;
}

static bool is_named(xt_slice word, xt_slice name)
{
    return xt_slice_ends(word, name) && (word.n == name.n || word.p[word.n - name.n - 1] == '/');
}

static void note_printed(walk *w, const xt_secret_word *word)
{
    bool is_printf = is_named(word->text, XT_S("printf"));
    if (is_printf || is_named(word->text, XT_S("echo")) || is_named(word->text, XT_S("yes"))) {
        w->prints = true;
        w->has_format = is_printf;
        w->out.n = 0;
    } else if (w->prints && !(w->out.n == 0 && xt_slice_starts(word->text, XT_S("-")))) {
        add_printed(&w->out, word);
    }
}

/* The command has all its words. What it wrote is read by the next one where a single | stands between them. */
static void end_command(xt_secret_scan *scan, walk *w, bool piped)
{
    for (size_t i = 0; i < w->in.n; i++)
        xt_secret_command_read(scan, &w->command, &w->in.words[i]);
    w->in.n = 0;
    if (piped && w->is_empty)
        w->in = w->group;
    printed *to = piped ? &w->in : &w->group;
    bool skips = w->has_format && w->out.n > 0 && (w->out.n > 1 || xt_slice_find_byte(w->out.words[0].text, '%') >= 0);
    for (size_t i = skips; (piped || w->in_group) && i < w->out.n; i++)
        add_printed(to, &w->out.words[i]);
    xt_secret_command_init(&w->command, XT_S_NULL);
    w->out.n = 0;
    w->is_empty = true;
    w->prints = w->awaits_here = w->has_format = false;
}

/* A byte between words; how many of them belong together. */
static size_t take_mark(xt_secret_scan *scan, walk *w, xt_slice s, size_t i)
{
    bool beside = (i > 0 && s.p[i - 1] == '|') || (i + 1 < s.n && s.p[i + 1] == '|');
    if (xt_slice_starts(xt_slice_skip(s, i), XT_S("<<<"))) {
        w->awaits_here = true;
        return 3;
    }
    bool ends = ends_command(s.p[i]) && !redirects(s, i);
    if (s.p[i] == '(')
        w->group.n = 0;
    bool goes_on = w->is_empty && (s.p[i] == '(' || s.p[i] == '\n' || s.p[i] == '&');
    if (ends && !goes_on) /* a pipe does behind these */
        end_command(scan, w, s.p[i] == '|' && !beside);
    if (s.p[i] == '(' || s.p[i] == ')')
        w->in_group = s.p[i] == '(' && (i == 0 || s.p[i - 1] != '$');
    return 1;
}

static void take_word(xt_secret_scan *scan, walk *w, const xt_secret_word *word)
{
    if (w->awaits_here) {
        if (!scan->joined)
            xt_secret_scan_anywhere(scan, word, false);
        w->in.n = 0;
        add_printed(&w->in, word);
        w->awaits_here = false;
        return;
    }
    w->is_empty = false;
    note_printed(w, word);
    xt_secret_command_take(scan, &w->command, word);
}

static void scan_words(xt_secret_scan *scan, const xt_secret_word *text)
{
    walk w = {.is_empty = true};
    xt_slice s = text->text;
    xt_secret_command_init(&w.command, XT_S_NULL);
    for (size_t i = 0; i < s.n;) {
        bool quoted;
        size_t end = word_end(s, i, scan->joined, &quoted);
        if (end == i) {
            i += take_mark(scan, &w, s, i);
            continue;
        }
        xt_secret_word word = quoted ? decode_word(scan, text, i, end) : part_of(text, i, end - i);
        take_word(scan, &w, &word);
        if (quoted)
            scan_substitution(scan, &word);
        i = end;
    }
    end_command(scan, &w, false);
}

void xt_secret_scan_shell(xt_secret_scan *scan, const xt_secret_word *text)
{
    if (scan->depth == XT_SECRET_MAX_DEPTH)
        return;
    scan->depth++;
    xt_arena_mark mark = xt_arena_mark_get(scan->arena);
    xt_secret_scan_anywhere(scan, text, !scan->joined);
    scan_words(scan, text);
    xt_arena_mark_reset(scan->arena, mark);
    scan->depth--;
}
