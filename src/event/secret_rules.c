/*
 * The table is copied into an arena of the rules' own and cut into columns there. Each rule names literals (anchors) of
 * which one must be in the bytes for it to match: a program's name, a part of a flag or of a variable's name, a prefix.
 * The filter looks at three bytes at a time, upper and lower case alike, and compares a whole anchor only where they
 * are the beginning of one.
 */
#include "event/secret_rules.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/arena.h"

#define MAX_TABLE_BYTES (1u << 20)
#define MAX_COLUMNS     8
#define MAX_ANCHORS     1024
#define MIN_ANCHOR      3
#define SHORT_PROGRAM   4
#define FILTER_BITS     14

extern const char xt_secret_table[];
extern const size_t xt_secret_table_bytes;

struct xt_secret_rules {
    atomic_uint n_refs;
    xt_arena arena;
    xt_secret_rule rules[XT_SECRET_MAX_RULES];
    size_t n;
    xt_secret_wrapper wrappers[XT_SECRET_MAX_RULES];
    size_t n_wrappers;
    xt_slice anchors[MAX_ANCHORS];
    size_t n_anchors;
    uint16_t next[MAX_ANCHORS];         /* number + 1 of another anchor with the same beginning, 0: none */
    uint16_t filter[1u << FILTER_BITS]; /* number + 1 of an anchor that begins like that, 0: none */
};

typedef struct line {
    xt_slice columns[MAX_COLUMNS];
    size_t n;
    uint64_t number;
    const char *start;
    xt_problem *problem;
} line;

static int bad(const line *l, size_t column, const char *sentence)
{
    xt_slice at = column < l->n ? l->columns[column] : XT_S_NULL;
    xt_problem_set(l->problem, "%s", sentence);
    xt_problem_at(l->problem, l->number, at.p ? (uint64_t)(at.p - l->start) + 1 : 1);
    xt_problem_excerpt(l->problem, at);
    xt_problem_hint(l->problem, "docs/secrets.md describes the table");
    return XT_SECRET_E_INVALID;
}

static int cut_columns(line *l, xt_slice text)
{
    l->start = text.p;
    l->n = 0;
    for (size_t i = 0; i < text.n;) {
        size_t from = i;
        while (i < text.n && text.p[i] != ' ' && text.p[i] != '\t' && text.p[i] != '\r')
            i++;
        if (i > from && l->n == MAX_COLUMNS)
            return bad(l, l->n - 1, "the line has too many columns");
        if (i > from)
            l->columns[l->n++] = xt_slice_of(text.p + from, i - from);
        i++;
    }
    return 0;
}

/* The column's parts, cut at commas. */
static int cut_list(xt_secret_rules *rules, const line *l, size_t column, xt_slice rest, xt_secret_words *ret)
{
    size_t n = 1;
    xt_slice part;
    for (size_t i = 0; i < rest.n; i++)
        n += rest.p[i] == ',';
    xt_slice *items = xt_arena_array(&rules->arena, n, sizeof *items);
    if (!items)
        return xt_error_origin(-ENOMEM);
    for (n = 0; xt_slice_cut(&rest, ',', &part); n++) {
        if (part.n == 0)
            return bad(l, column, "there is nothing between two commas");
        items[n] = part;
    }
    *ret = (xt_secret_words){items, n};
    return 0;
}

static int cut_words(xt_secret_rules *rules, const line *l, size_t column, xt_secret_words *ret)
{
    *ret = (xt_secret_words){0};
    return column < l->n ? cut_list(rules, l, column, l->columns[column], ret) : 0;
}

/* Of three bytes in the low ones of a number, letters of either case alike. */
static inline size_t filter_index(uint32_t bytes)
{
    return ((bytes | 0x202020) & 0xffffff) * 2654435761u >> (32 - FILTER_BITS);
}

static uint32_t three_bytes(const char *p)
{
    return (uint32_t)(uint8_t)p[0] | (uint32_t)(uint8_t)p[1] << 8 | (uint32_t)(uint8_t)p[2] << 16;
}

/* The longest run without a wildcard; of a phrase without a blank. */
static xt_slice literal_of(const line *l, xt_slice glob)
{
    xt_slice best = XT_S_NULL, part;
    bool is_phrase = xt_slice_eq(l->columns[0], XT_S("phrase"));
    if (is_phrase && xt_slice_starts(glob, XT_S("*")))
        glob = xt_slice_skip(glob, 1);
    while (xt_slice_cut(&glob, is_phrase ? '_' : '*', &part))
        if (part.n > best.n)
            best = part;
    return best;
}

static int add_anchor(xt_secret_rules *rules, const line *l, size_t column, xt_slice anchor)
{
    if (anchor.n < MIN_ANCHOR)
        return bad(l, column, "each word needs three bytes in a row that are no wildcard");
    size_t at = filter_index(three_bytes(anchor.p));
    for (size_t i = rules->filter[at]; i > 0; i = rules->next[i - 1])
        if (xt_slice_eq(rules->anchors[i - 1], anchor))
            return 0;
    if (rules->n_anchors == MAX_ANCHORS)
        return bad(l, column, "the table has too many words");
    rules->next[rules->n_anchors] = rules->filter[at];
    rules->anchors[rules->n_anchors++] = anchor;
    rules->filter[at] = (uint16_t)rules->n_anchors;
    return 0;
}

/*
 * A short name (7z, exp, http) stands inside of many others, so it is looked for with what stands beside it where it is a
 * word: an item's length, a path, the end of the word.
 */
static int add_short_program(xt_secret_rules *rules, const line *l, xt_slice name)
{
    const char forms[] = {(char)name.n, '/', ' ', '\0'};
    int r = 0;
    for (size_t i = 0; r == 0 && i < sizeof forms; i++) {
        char text[SHORT_PROGRAM + 1];
        memset(text, forms[i], sizeof text);
        memcpy(text + (i < 2), name.p, name.n);
        xt_slice anchor = xt_arena_copy(&rules->arena, xt_slice_of(text, name.n + 1));
        r = anchor.p ? add_anchor(rules, l, 2, anchor) : xt_error_origin(-ENOMEM);
    }
    return r;
}

static bool is_left_out(xt_slice word)
{
    return xt_slice_starts(word, XT_S("!"));
}

static int add_anchors(xt_secret_rules *rules, const line *l, size_t column, const xt_secret_words *words)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < words->n; i++)
        if (!is_left_out(words->items[i]))
            r = add_anchor(rules, l, column, literal_of(l, words->items[i]));
    return r;
}

/* Of NAME/SUBCOMMAND the rarer one: the subcommand. */
static int add_programs(xt_secret_rules *rules, const line *l, const xt_secret_words *words)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < words->n; i++) {
        xt_slice name = words->items[i], sub = name, program;
        if (is_left_out(name))
            continue;
        if (xt_slice_cut(&sub, '/', &program) && sub.n >= MIN_ANCHOR)
            name = sub;
        r = name.n >= 2 && name.n <= SHORT_PROGRAM ? add_short_program(rules, l, name) : add_anchor(rules, l, 2, name);
    }
    return r;
}

static bool is_any(const xt_secret_words *programs)
{
    return programs->n > 0 && xt_slice_eq(programs->items[0], XT_S("*"));
}

static int read_extras(xt_secret_rules *rules, const line *l, size_t from, xt_secret_rule *rule)
{
    for (size_t i = from; i < l->n; i++) {
        if (xt_slice_starts(l->columns[i], XT_S("skip="))) {
            int r = cut_list(rules, l, i, xt_slice_skip(l->columns[i], 5), &rule->skips);
            if (r != 0)
                return r;
        } else if (xt_slice_starts(l->columns[i], XT_S("behind=")) && l->columns[i].n == 8)
            rule->behind = l->columns[i].p[7];
        else if (xt_slice_starts(l->columns[i], XT_S("until=")) && l->columns[i].n == 7)
            rule->until = l->columns[i].p[6];
        else if (xt_slice_starts(l->columns[i], XT_S("plain=")) && l->columns[i].n == 7)
            rule->plain = l->columns[i].p[6];
        else if (xt_slice_starts(l->columns[i], XT_S("bundle=")))
            rule->bundle = xt_slice_skip(l->columns[i], 7);
        else
            return bad(l, i, "it is behind=C, until=C, plain=C, bundle=LETTERS or skip=OPTIONS");
    }
    return 0;
}

static int read_how(xt_secret_rules *rules, const line *l, xt_secret_rule *rule)
{
    xt_slice how = l->columns[4];
    if (xt_slice_eq(how, XT_S("attached")))
        rule->how = XT_SECRET_ATTACHED;
    else if (xt_slice_eq(how, XT_S("separate")))
        rule->how = XT_SECRET_SEPARATE;
    else if (xt_slice_eq(how, XT_S("either")))
        rule->how = XT_SECRET_ATTACHED | XT_SECRET_SEPARATE;
    else
        return bad(l, 4, "it is one of attached, separate, either");
    return read_extras(rules, l, 5, rule);
}

static int read_option(xt_secret_rules *rules, const line *l, xt_secret_rule *rule)
{
    if (l->n < 5)
        return bad(l, 0, "an option has a name, programs, flags, and where its value stands");
    int r = cut_words(rules, l, 2, &rule->programs);
    if (r == 0)
        r = cut_words(rules, l, 3, &rule->words);
    if (r == 0)
        r = read_how(rules, l, rule);
    if (r == 0)
        r = is_any(&rule->programs) ? add_anchors(rules, l, 3, &rule->words) : add_programs(rules, l, &rule->programs);
    return r;
}

/* word NAME PROGRAMS FLAGS N ...   and   stdin NAME PROGRAMS FLAGS ... */
static int read_place(xt_secret_rules *rules, const line *l, xt_secret_rule *rule)
{
    bool is_word = rule->kind == XT_SECRET_WORD;
    if (l->n < 4 + (size_t)is_word)
        return bad(l, 0, "it has a name, programs, flags or *, and of a word its number");
    if (is_word && (!xt_slice_parse_u64(l->columns[4], &rule->nth) || rule->nth == 0))
        return bad(l, 4, "a word has a number from 1 on");
    int r = cut_words(rules, l, 2, &rule->programs);
    if (r == 0)
        r = cut_words(rules, l, 3, &rule->words);
    if (r == 0)
        r = read_extras(rules, l, 4 + (size_t)is_word, rule);
    rule->needs_flag = !is_any(&rule->words);
    return r == 0 ? add_programs(rules, l, &rule->programs) : r;
}

static int read_token(const line *l, xt_secret_rule *rule)
{
    if (l->n != 5 || !xt_slice_parse_u64(l->columns[3], &rule->min))
        return bad(l, 3, "a token has a name, a prefix, the least number of bytes behind it, and an alphabet");
    rule->alphabet = l->columns[4].p[0];
    if (!memchr("awd", rule->alphabet, 3))
        return bad(l, 4, "it is one of alnum, word, dash");
    return 0;
}

static int read_rule(xt_secret_rules *rules, const line *l, xt_secret_kind kind)
{
    if (rules->n == XT_SECRET_MAX_RULES)
        return bad(l, 0, "the table has too many rules");
    if (l->n < 3)
        return bad(l, 0, "a rule has a name and what it matches");
    xt_secret_rule rule = {.kind = kind, .name = l->columns[1]};
    int r = 0;
    if (kind == XT_SECRET_OPTION) {
        r = read_option(rules, l, &rule);
    } else if (kind == XT_SECRET_WORD || kind == XT_SECRET_STDIN) {
        r = read_place(rules, l, &rule);
    } else {
        r = cut_words(rules, l, 2, &rule.words);
        if (r == 0 && kind == XT_SECRET_TOKEN)
            r = read_token(l, &rule);
        if (r == 0)
            r = add_anchors(rules, l, 2, &rule.words);
    }
    if (r == 0)
        rules->rules[rules->n++] = rule;
    return r;
}

static int read_wrapper(xt_secret_rules *rules, const line *l, bool is_shell)
{
    xt_secret_wrapper wrapper = {.is_shell = is_shell};
    if (rules->n_wrappers == XT_SECRET_MAX_RULES)
        return bad(l, 0, "the table has too many wrappers");
    if (l->n < 2 || (!is_shell && (l->n < 3 || !xt_slice_parse_u64(l->columns[2], &wrapper.n_positionals))))
        return bad(l, 0, "a wrapper has programs and a number");
    int r = cut_words(rules, l, 1, &wrapper.programs);
    if (r == 0 && !is_shell)
        r = cut_words(rules, l, 3, &wrapper.options);
    if (r == 0)
        rules->wrappers[rules->n_wrappers++] = wrapper;
    return r;
}

static int read_line(xt_secret_rules *rules, line *l, xt_slice text)
{
    static const char *const kinds[] = {"option", "assign", "header", "uri",   "token",
                                        "jwt",    "pem",    "word",   "stdin", "phrase"};
    if (xt_slice_starts(xt_slice_trim(text), XT_S("#")))
        return 0;
    int r = cut_columns(l, text);
    if (r != 0 || l->n == 0)
        return r;
    for (unsigned i = 0; i < XT_COUNT_OF(kinds); i++)
        if (xt_slice_eq(l->columns[0], xt_slice_str(kinds[i])))
            return read_rule(rules, l, (xt_secret_kind)i);
    bool is_shell = xt_slice_eq(l->columns[0], XT_S("shell"));
    if (is_shell || xt_slice_eq(l->columns[0], XT_S("wrapper")))
        return read_wrapper(rules, l, is_shell);
    return bad(l, 0, "there is no such kind of rule");
}

int xt_secret_rules_parse(xt_slice text, const char *source, xt_secret_rules **ret, xt_problem *reterr_problem)
{
    line l = {.problem = reterr_problem};
    xt_slice part;
    xt_secret_rules *rules = calloc(1, sizeof *rules);
    if (!rules)
        return xt_error_origin(-ENOMEM);
    atomic_init(&rules->n_refs, 1);
    xt_arena_init(&rules->arena, 4 * MAX_TABLE_BYTES);
    xt_problem_source(reterr_problem, source);
    xt_slice rest = xt_arena_copy(&rules->arena, text);
    int r = rest.p ? 0 : xt_error_origin(-ENOMEM);
    while (r == 0 && xt_slice_cut(&rest, '\n', &part)) {
        l.number++;
        r = read_line(rules, &l, part);
    }
    if (r != 0) {
        xt_secret_rules_unref(rules);
        return xt_error_trace(r);
    }
    *ret = rules;
    return 0;
}

int xt_secret_rules_builtin(xt_secret_rules **ret)
{
    return xt_secret_rules_parse(xt_slice_of(xt_secret_table, xt_secret_table_bytes), "rules/secrets/default.txt", ret,
                                 NULL);
}

xt_secret_rules *xt_secret_rules_ref(xt_secret_rules *rules)
{
    if (rules)
        atomic_fetch_add(&rules->n_refs, 1);
    return rules;
}

xt_secret_rules *xt_secret_rules_unref(xt_secret_rules *rules)
{
    if (rules && atomic_fetch_sub(&rules->n_refs, 1) == 1) {
        xt_arena_fini(&rules->arena);
        free(rules);
    }
    return NULL;
}

const xt_secret_rule *xt_secret_rules_get(const xt_secret_rules *rules, size_t *ret_n)
{
    *ret_n = rules->n;
    return rules->rules;
}

const xt_secret_wrapper *xt_secret_wrapper_find(const xt_secret_rules *rules, xt_slice program)
{
    for (size_t i = 0; i < rules->n_wrappers; i++)
        for (size_t k = 0; k < rules->wrappers[i].programs.n; k++)
            if (xt_slice_eq(rules->wrappers[i].programs.items[k], program))
                return &rules->wrappers[i];
    return NULL;
}

bool xt_secret_words_match(const xt_secret_words *words, xt_slice text, bool glob)
{
    bool found = false;
    for (size_t i = 0; i < words->n; i++) {
        xt_slice word = words->items[i];
        bool out = word.n > 1 && word.p[0] == '!';
        if (out != found) /* nothing new to learn from it */
            continue;
        word = xt_slice_skip(word, out);
        if (glob ? xt_slice_glob_nocase(text, word, false) : xt_slice_eq(text, word) || xt_slice_eq(word, XT_S("*")))
            found = !out;
        if (out && !found)
            return false;
    }
    return found;
}

/* What begins with / is the end of a path: /exp is not in /expr. */
static bool is_whole(xt_slice anchor, xt_slice bytes)
{
    char next = bytes.n > anchor.n ? bytes.p[anchor.n] : '\0';
    return anchor.p[0] != '/' || !((next >= '0' && next <= '9') || ((next | 0x20) >= 'a' && (next | 0x20) <= 'z'));
}

static bool begins_anchor(const xt_secret_rules *rules, size_t number, xt_slice bytes)
{
    for (; number > 0; number = rules->next[number - 1]) {
        xt_slice anchor = rules->anchors[number - 1];
        if (xt_slice_starts_nocase(bytes, anchor) && is_whole(anchor, bytes))
            return true;
    }
    return false;
}

bool xt_secret_rules_may_match(const xt_secret_rules *rules, xt_slice bytes)
{
    if (bytes.n < MIN_ANCHOR)
        return false;
    const uint8_t *p = (const uint8_t *)bytes.p, *end = p + bytes.n;
    uint32_t three = (uint32_t)p[0] << 8 | (uint32_t)p[1] << 16;
    for (const uint8_t *next = p + 2; next < end; next++) {
        three = three >> 8 | (uint32_t)*next << 16;
        size_t number = rules->filter[filter_index(three)];
        if (number > 0 && begins_anchor(rules, number, xt_slice_of(next - 2, (size_t)(end - next) + 2)))
            return true;
    }
    return false;
}
