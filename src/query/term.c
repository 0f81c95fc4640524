/*
 * Patterns become the simplest test that does: `*x*` a search, `x*` and `*x` a comparison at one end. The command line
 * is never built when a word that the whole must hold (`probe`) is nowhere in the arguments, which is nearly always.
 *
 * Expressions see bytes, not UTF-8: a broken byte in an argument must not end the match of a `.`, or it would be a way
 * to hide. `.` matches newlines as well, for the same reason.
 */
#include "query/term.h"

#include <errno.h>

#include "event/event.h"

#define PIECE_BYTES 3

void xt_term_run_fini(xt_term_run *run)
{
    xt_buf_fini(&run->scratch);
    pcre2_match_data_free(run->match_data);
    pcre2_match_context_free(run->context);
    *run = XT_TERM_RUN_INIT;
}

void xt_term_fini(xt_term *match)
{
    pcre2_code_free(match->regex);
    match->regex = NULL;
}

/* ------------------------------------------------------------------------------------------------ compile */

static xt_term_form form_of(const xt_kql_node *leaf)
{
    if (!leaf->field)
        return XT_TERM_DATA;
    switch (leaf->field->id) {
    case XT_F_CMD:
        return XT_TERM_CMD;
    case XT_F_ARGC:
        return XT_TERM_ARGC;
    case XT_F_PATH:
        return XT_TERM_NAMES;
    case XT_F_EVENT_ID:
    case XT_F_ENTITY:
        return XT_TERM_DERIVED;
    default:
        break;
    }
    switch (leaf->field->type) {
    case XT_TIME:
    case XT_UINT:
    case XT_INT:
        return XT_TERM_NUMBER;
    case XT_LIST:
        return XT_TERM_LIST;
    default:
        return XT_TERM_TEXT;
    }
}

static xt_field column_of(const xt_kql_node *leaf)
{
    switch (form_of(leaf)) {
    case XT_TERM_DATA:
        return XT_F_RECORDS;
    case XT_TERM_CMD:
    case XT_TERM_ARGC:
        return XT_F_ARGS;
    case XT_TERM_NAMES:
        return XT_F_PATHS;
    default:
        return leaf->field->id;
    }
}

static void set_range(xt_term *match, const xt_kql_node *leaf)
{
    uint64_t key = xt_term_key(match->type, leaf->number);

    match->op = XT_TERM_RANGE;
    match->min = leaf->kind == XT_KQL_LESS || leaf->kind == XT_KQL_LESS_EQUAL ? 0 : key;
    match->max = leaf->kind == XT_KQL_GREATER || leaf->kind == XT_KQL_GREATER_EQUAL ? UINT64_MAX : key;
    bool none = (leaf->kind == XT_KQL_LESS && key == 0) || (leaf->kind == XT_KQL_GREATER && key == UINT64_MAX);
    if (none) {
        match->min = 1;
        match->max = 0;
    } else if (leaf->kind == XT_KQL_LESS) {
        match->max--;
    } else if (leaf->kind == XT_KQL_GREATER) {
        match->min++;
    }
}

/* The literal between star (or end) and star (or end) that begins at *i, unescaped to out; moves behind it. */
static size_t next_literal(xt_slice pattern, size_t *i, char *out)
{
    size_t n = 0;

    for (; *i < pattern.n && pattern.p[*i] != '*'; (*i)++) {
        if (pattern.p[*i] == '\\' && *i + 1 < pattern.n)
            (*i)++;
        out[n++] = pattern.p[*i];
    }
    return n;
}

static int set_pattern(xt_term *match, xt_slice pattern, xt_arena *arena)
{
    char *literal = xt_arena_alloc(arena, pattern.n + 1);
    size_t i = 0;

    if (!literal)
        return xt_error_origin(-ENOMEM);
    bool star_before = pattern.n && pattern.p[0] == '*';
    while (i < pattern.n && pattern.p[i] == '*')
        i++;
    size_t n = next_literal(pattern, &i, literal);
    bool star_after = i < pattern.n;
    while (i < pattern.n && pattern.p[i] == '*')
        i++;
    if (i < pattern.n) {
        match->op = XT_TERM_GLOB;
        match->text = pattern;
        return 0;
    }
    match->op = star_before ? (star_after || n == 0 ? XT_TERM_PART : XT_TERM_SUFFIX)
                            : (star_after ? XT_TERM_PREFIX : XT_TERM_EQUAL);
    match->text = xt_slice_of(literal, n);
    return 0;
}

static int set_regex(xt_term *match, const xt_kql_node *leaf, xt_problem *problem)
{
    int error;
    PCRE2_SIZE at;
    uint32_t options = PCRE2_CASELESS | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP |
                       PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_AUTO_CAPTURE;

    match->op = XT_TERM_REGEX;
    match->regex = pcre2_compile((PCRE2_SPTR)leaf->text.p, leaf->text.n, options, &error, &at, NULL);
    if (match->regex) {
        pcre2_jit_compile(match->regex, PCRE2_JIT_COMPLETE); /* without JIT it is slower, not wrong */
        return 0;
    }
    if (error == PCRE2_ERROR_HEAP_FAILED)
        return xt_error_origin(-ENOMEM);
    PCRE2_UCHAR why[200] = "";
    pcre2_get_error_message(error, why, sizeof why);
    xt_problem_set(problem, "the expression does not hold together at its byte %zu: %s", (size_t)at + 1, (char *)why);
    xt_problem_source(problem, "query");
    xt_problem_at(problem, 1, leaf->column);
    xt_problem_excerpt(problem, leaf->text);
    return XT_KQL_E_SYNTAX;
}

/* The longest run of a literal without space, star or backslash. */
static xt_slice longest_word(xt_slice s)
{
    xt_slice best = {NULL, 0};

    for (size_t i = 0; i < s.n;) {
        size_t n = 0;
        while (i + n < s.n && s.p[i + n] != ' ' && s.p[i + n] != '*' && s.p[i + n] != '\\')
            n++;
        if (n > best.n)
            best = xt_slice_head(xt_slice_skip(s, i), n);
        i += n + 1;
    }
    return best;
}

/* Bytes of the bracket expression that begins at i. */
static size_t class_bytes(xt_slice s, size_t i)
{
    size_t j = i + 1;

    j += j < s.n && s.p[j] == '^';
    j += j < s.n && s.p[j] == ']';
    for (; j < s.n && s.p[j] != ']'; j++)
        j += s.p[j] == '\\';
    return j + 1 - i;
}

/* Bytes of the count, {2,5}, that begins at i; of a brace that is none, the brace. */
static size_t count_bytes(xt_slice s, size_t i)
{
    size_t j = i + 1;

    while (j < s.n && ((s.p[j] >= '0' && s.p[j] <= '9') || s.p[j] == ','))
        j++;
    return j < s.n && s.p[j] == '}' ? j + 1 - i : 1;
}

static bool is_word_char(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* The literal that the expression has at i, if one stands there that must occur: 0 bytes when not. */
static size_t regex_literal(xt_slice s, size_t i, char *ret)
{
    size_t n = 1;

    if (s.p[i] == '\\' && i + 1 < s.n && !is_word_char(s.p[i + 1]))
        n = 2;
    else if (strchr("\\.[](){}|?*+^$", s.p[i]) || s.p[i] == '\0')
        return 0;
    *ret = s.p[i + n - 1];
    bool optional = i + n < s.n && (s.p[i + n] == '?' || s.p[i + n] == '*' || s.p[i + n] == '{');
    return optional || *ret == ' ' ? 0 : n;
}

/*
 * The longest word without a space that whatever matches must hold: literals outside of groups and of brackets. None
 * when there is a choice at the top. Knows the part of the syntax that kql_term lets through.
 */
static int set_regex_probe(xt_term *match, xt_slice s, xt_arena *arena)
{
    char *word = xt_arena_alloc(arena, s.n + 1), *best = xt_arena_alloc(arena, s.n + 1);
    size_t n = 0, depth = 0, step;

    if (!word || !best)
        return xt_error_origin(-ENOMEM);
    match->probe = xt_slice_of(best, 0);
    for (size_t i = 0; i < s.n; i += step) {
        step = regex_literal(s, i, &word[n]);
        if (step && depth == 0) {
            if (++n > match->probe.n) {
                memcpy(best, word, n);
                match->probe.n = n;
            }
            if (i + step < s.n && s.p[i + step] == '+')
                n = 0;
            continue;
        }
        n = 0;
        if (step)
            continue;
        step = s.p[i] == '\\' ? 2 : s.p[i] == '[' ? class_bytes(s, i) : s.p[i] == '{' ? count_bytes(s, i) : 1;
        depth += s.p[i] == '(';
        depth -= s.p[i] == ')' && depth > 0;
        if (s.p[i] == '|' && depth == 0) {
            match->probe = XT_S_NULL;
            break;
        }
    }
    return 0;
}

/* A piece that filters of dictionaries can be asked for; shorter ones say nothing. */
static int add_piece(xt_term *match, xt_slice *pieces, xt_slice literal, xt_arena *arena)
{
    if (literal.n < PIECE_BYTES)
        return 0;
    char *lower = xt_arena_alloc(arena, literal.n);
    if (!lower)
        return xt_error_origin(-ENOMEM);
    for (size_t i = 0; i < literal.n; i++)
        lower[i] = (char)(literal.p[i] | (literal.p[i] >= 'A' && literal.p[i] <= 'Z') << 5);
    pieces[match->n_pieces++] = xt_slice_of(lower, literal.n);
    return 0;
}

static int set_pieces(xt_term *match, xt_arena *arena)
{
    xt_slice text = match->op == XT_TERM_REGEX ? match->probe : match->text;
    xt_slice *pieces = xt_arena_array(arena, text.n / (PIECE_BYTES + 1) + 1, sizeof *pieces);
    char *literal = xt_arena_alloc(arena, text.n + 1);
    int r = 0;

    if (!pieces || !literal)
        return xt_error_origin(-ENOMEM);
    match->pieces = pieces;
    if (match->op != XT_TERM_GLOB)
        return add_piece(match, pieces, text, arena);
    for (size_t i = 0; i < text.n && r == 0; i++) {
        size_t n = next_literal(text, &i, literal);
        r = add_piece(match, pieces, xt_slice_of(literal, n), arena);
    }
    return xt_error_trace(r);
}

static bool is_text(xt_term_form form)
{
    return form == XT_TERM_TEXT || form == XT_TERM_LIST || form == XT_TERM_CMD || form == XT_TERM_NAMES ||
           form == XT_TERM_DATA;
}

int xt_term_compile(const xt_kql_node *leaf, xt_arena *arena, xt_term *ret, xt_problem *reterr_problem)
{
    xt_term match = {.form = form_of(leaf), .field = column_of(leaf), .name = leaf->data_name, .text = leaf->text};
    int r = 0;

    match.type = leaf->field ? leaf->field->type : XT_TEXT;
    bool is_number = match.form == XT_TERM_NUMBER || match.form == XT_TERM_ARGC;
    if (leaf->kind == XT_KQL_EXISTS)
        match.op = XT_TERM_EXISTS;
    else if (leaf->kind == XT_KQL_GLOB)
        r = set_pattern(&match, leaf->text, arena);
    else if (leaf->kind == XT_KQL_REGEX)
        r = set_regex(&match, leaf, reterr_problem);
    else if (is_number)
        set_range(&match, leaf);
    else
        match.op = leaf->kind == XT_KQL_SUBSTRING ? XT_TERM_PART : XT_TERM_EQUAL;
    if (r)
        return r;
    if (match.form == XT_TERM_CMD && match.op != XT_TERM_EXISTS && match.op != XT_TERM_REGEX)
        match.probe = longest_word(match.text);
    if (is_text(match.form) && match.op == XT_TERM_REGEX)
        r = set_regex_probe(&match, leaf->text, arena);
    if (r == 0 && is_text(match.form) && match.op != XT_TERM_EXISTS)
        r = set_pieces(&match, arena);
    if (r) {
        xt_term_fini(&match);
        return xt_error_trace(r);
    }
    if (match.field == XT_F_EVENT_ID && match.op == XT_TERM_EQUAL)
        match.has_hash = xt_hash128_parse(match.text, &match.hash);
    *ret = match;
    return 0;
}

bool xt_term_is_any(const xt_term *match)
{
    return match->op == XT_TERM_EXISTS &&
           (match->form == XT_TERM_TEXT || match->form == XT_TERM_LIST || match->form == XT_TERM_CMD);
}

unsigned xt_term_cost(const xt_term *match)
{
    static const unsigned by_form[] = {
        [XT_TERM_NUMBER] = 1, [XT_TERM_TEXT] = 2,   [XT_TERM_LIST] = 3,  [XT_TERM_ARGC] = 3,
        [XT_TERM_CMD] = 10,   [XT_TERM_NAMES] = 12, [XT_TERM_DATA] = 15, [XT_TERM_DERIVED] = 30,
    };
    return by_form[match->form] * (match->op == XT_TERM_REGEX ? 5 : match->op == XT_TERM_GLOB ? 2 : 1);
}

/* ------------------------------------------------------------------------------------------------ answer */

static pcre2_match_context *match_context_new(void)
{
    pcre2_match_context *context = pcre2_match_context_create(NULL);

    if (context) {
        pcre2_set_match_limit(context, XT_TERM_MAX_STEPS);
        pcre2_set_depth_limit(context, XT_TERM_MAX_STEPS);
        pcre2_set_heap_limit(context, 16 << 10); /* KiB */
    }
    return context;
}

static bool match_regex(const xt_term *match, xt_slice text, xt_term_run *run)
{
    if (!run->match_data)
        run->match_data = pcre2_match_data_create(1, NULL);
    if (!run->context)
        run->context = match_context_new();
    if (!run->match_data || !run->context) {
        run->no_memory = true;
        return false;
    }
    PCRE2_SPTR subject = (PCRE2_SPTR)(text.p ? text.p : "");
    int r = pcre2_match(match->regex, subject, text.n, 0, 0, run->match_data, run->context);
    if (r == PCRE2_ERROR_JIT_STACKLIMIT)
        r = pcre2_match(match->regex, subject, text.n, 0, PCRE2_NO_JIT, run->match_data, run->context);
    run->n_gave_up += r < 0 && r != PCRE2_ERROR_NOMATCH;
    return r >= 0;
}

bool xt_term_text(const xt_term *match, xt_slice text, xt_term_run *run)
{
    switch (match->op) {
    case XT_TERM_EXISTS:
        return true;
    case XT_TERM_EQUAL:
        return xt_slice_eq_nocase(text, match->text);
    case XT_TERM_PREFIX:
        return xt_slice_starts_nocase(text, match->text);
    case XT_TERM_SUFFIX:
        return xt_slice_ends_nocase(text, match->text);
    case XT_TERM_PART:
        return xt_slice_find_nocase(text, match->text) >= 0;
    case XT_TERM_GLOB:
        return xt_slice_glob_nocase(text, match->text, false);
    case XT_TERM_REGEX:
        return match_regex(match, text, run);
    case XT_TERM_RANGE:
        break;
    }
    return false;
}

bool xt_term_number(const xt_term *match, uint64_t number, xt_term_run *run)
{
    char text[24];
    xt_buf out = XT_BUF_ON(text);

    if (match->op == XT_TERM_RANGE)
        return xt_term_key_in(match, xt_term_key(match->type, number));
    if (match->op == XT_TERM_EXISTS)
        return true;
    if (match->type == XT_UINT)
        xt_buf_put_dec(&out, number);
    else
        xt_buf_put_sdec(&out, (int64_t)number);
    return xt_term_text(match, xt_buf_slice(&out), run);
}

static bool match_list(const xt_term *match, xt_slice list, xt_term_run *run)
{
    xt_list_iter iter = xt_list_iterate(list);

    for (xt_slice item; xt_list_next(&iter, &item);)
        if (xt_term_text(match, item, run))
            return true;
    return false;
}

static bool any_item_holds(xt_slice list, xt_slice word)
{
    xt_list_iter iter = xt_list_iterate(list);

    for (xt_slice item; xt_list_next(&iter, &item);)
        if (xt_slice_find_nocase(item, word) >= 0)
            return true;
    return false;
}

/*
 * The arguments joined by one space, in the scratch. The encoded list is copied at once; the length in front of an
 * item is one byte nearly always, and that byte becomes the space.
 */
static xt_slice join_args(xt_slice args, xt_term_run *run)
{
    xt_buf_reset(&run->scratch);
    char *p = xt_buf_reserve(&run->scratch, args.n + 1);
    if (!p) {
        run->no_memory = true;
        return XT_S_NULL;
    }
    memcpy(p, args.p, args.n);
    xt_list_iter iter = xt_list_iterate(args);
    size_t begin = (size_t)((const char *)iter.reader.p - args.p), out = begin;
    for (; iter.left > 0; iter.left--) {
        size_t in = (size_t)((const char *)iter.reader.p - args.p), n;
        if (in < args.n && !(args.p[in] & 0x80)) {
            n = (size_t)args.p[in++];
            iter.reader.p++;
        } else {
            n = (size_t)xt_reader_varint(&iter.reader);
            in = (size_t)((const char *)iter.reader.p - args.p);
        }
        if (iter.reader.failed || n > args.n - in)
            break;
        p[out++] = ' ';
        if (out != in)
            memmove(p + out, args.p + in, n);
        out += n;
        iter.reader.p += n;
    }
    return out > begin ? xt_slice_of(p + begin + 1, out - begin - 1) : xt_slice_of(p, 0);
}

static bool match_cmd(const xt_term *match, xt_slice args, xt_term_run *run)
{
    if (match->probe.n && xt_slice_find_nocase(args, match->probe) < 0)
        return false; /* nowhere in the encoded list: one search instead of one an argument */
    if (match->op == XT_TERM_PART && match->probe.n && match->probe.n == match->text.n)
        return any_item_holds(args, match->text); /* what has no space lies in one argument */
    return xt_term_text(match, join_args(args, run), run);
}

static bool match_names(const xt_term *match, xt_slice paths, xt_term_run *run)
{
    xt_path_iter iter = xt_paths_iterate(paths);

    for (xt_path path; xt_paths_next(&iter, &path);)
        if (path.has_name && xt_term_text(match, path.name, run))
            return true;
    return false;
}

/* As xt_recs_find does, in one pass over all of that name. */
static bool match_data(const xt_term *match, xt_slice records, xt_term_run *run)
{
    bool words = xt_slice_eq(match->name, XT_S("text"));
    xt_rec_iter iter = xt_recs_iterate(records);
    xt_rec_field field;

    for (uint16_t type; xt_recs_next(&iter, &type);)
        while (xt_recs_next_field(&iter, &field))
            if ((xt_slice_eq(field.name, match->name) || (words && field.name.n == 0)) &&
                xt_term_text(match, field.value, run))
                return true;
    return false;
}

bool xt_term_entry(const xt_term *match, xt_slice entry, xt_term_run *run)
{
    switch (match->form) {
    case XT_TERM_TEXT:
    case XT_TERM_DERIVED:
        return xt_term_text(match, entry, run);
    case XT_TERM_LIST:
        return match->op == XT_TERM_EXISTS || match_list(match, entry, run);
    case XT_TERM_ARGC:
        return xt_term_number(match, xt_list_count(entry), run);
    case XT_TERM_CMD:
        return match->op == XT_TERM_EXISTS || match_cmd(match, entry, run);
    case XT_TERM_NAMES:
        return match_names(match, entry, run);
    case XT_TERM_DATA:
        return match_data(match, entry, run);
    case XT_TERM_NUMBER:
        break;
    }
    return false;
}
