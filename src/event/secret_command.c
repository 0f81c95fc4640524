/*
 * A command is a small machine that is fed words: wrappers (sudo, env, ...) lead to the next program, shells to a script,
 * and an option whose value is the next word waits for it. Each program's options are chosen once, when it is met.
 */
#include "event/secret_scan.h"

#include <string.h>

static xt_slice base_name(xt_slice path)
{
    for (size_t i = path.n; i > 0; i--)
        if (path.p[i - 1] == '/')
            return xt_slice_skip(path, i);
    return path;
}

void xt_secret_command_init(xt_secret_command *c, xt_slice alias)
{
    *c = (xt_secret_command){.alias = base_name(alias), .awaits_program = true};
}

static void arm(xt_secret_command *c, const xt_secret_rule *rule, xt_slice program)
{
    for (size_t i = 0; i < rule->programs.n; i++) {
        xt_slice rest = rule->programs.items[i], name;
        if (xt_slice_cut(&rest, '/', &name) && rest.n > 0 && xt_slice_eq(name, program) &&
            c->n_armed < XT_SECRET_MAX_ACTIVE) {
            c->armed[c->n_armed++] = rule;
            return;
        }
    }
}

static void choose_options(const xt_secret_scan *scan, xt_secret_command *c, xt_slice program, xt_slice alias)
{
    size_t n;
    const xt_secret_rule *rules = xt_secret_rules_get(scan->rules, &n);
    c->n_active = 0;
    for (size_t i = 0; i < n; i++) {
        if (rules[i].kind != XT_SECRET_OPTION)
            continue;
        bool matches = xt_secret_words_match(&rules[i].programs, program, false) ||
                       (alias.n > 0 && xt_secret_words_match(&rules[i].programs, alias, false));
        if (matches && c->n_active < XT_SECRET_MAX_ACTIVE)
            c->active[c->n_active++] = &rules[i];
        if (!matches)
            arm(c, &rules[i], program);
    }
}

static xt_slice without_quote(xt_slice text)
{
    return text.n > 0 && (text.p[0] == '"' || text.p[0] == '\'') ? xt_slice_skip(text, 1) : text;
}

static void begin_program(const xt_secret_scan *scan, xt_secret_command *c, xt_slice word)
{
    xt_slice program = base_name(scan->joined ? without_quote(word) : word);
    if (program.n > 1 && program.p[0] == '-') /* a login shell */
        program = xt_slice_skip(program, 1);
    c->awaits_program = false;
    c->wrapper = NULL;
    if (c->n_programs++ == XT_SECRET_MAX_CHAIN)
        return;
    choose_options(scan, c, program, c->n_programs == 1 ? c->alias : XT_S_NULL);
    c->wrapper = xt_secret_wrapper_find(scan->rules, program);
    if (!c->wrapper && c->n_programs == 1)
        c->wrapper = xt_secret_wrapper_find(scan->rules, c->alias);
    c->positionals_left = c->wrapper ? c->wrapper->n_positionals : 0;
    c->awaits_program = c->wrapper && !c->wrapper->is_shell;
}

/* Letters of a bundle may stand between the dash and the flag's own letter: -su for -s -u. */
static size_t flag_end(const xt_secret_rule *rule, xt_slice flag, xt_slice word)
{
    size_t at = 1;
    if (xt_slice_starts(word, flag))
        return flag.n;
    if (rule->bundle.n == 0 || flag.n != 2 || word.n < 2 || word.p[0] != '-' || flag.p[0] != '-')
        return 0;
    while (at < word.n && word.p[at] != flag.p[1] && memchr(rule->bundle.p, word.p[at], rule->bundle.n))
        at++;
    return at < word.n && word.p[at] == flag.p[1] ? at + 1 : 0;
}

static void take_value(xt_secret_scan *scan, const xt_secret_rule *rule, const xt_secret_word *word, size_t from)
{
    if (rule->behind) {
        ptrdiff_t at = xt_slice_find_byte(xt_slice_skip(word->text, from), rule->behind);
        if (at < 0)
            return;
        from += (size_t)at + 1;
    }
    xt_secret_hit_add(scan, word, from, word->text.n, rule, "", false);
}

static bool match_long(xt_secret_scan *scan, xt_secret_command *c, const xt_secret_rule *rule,
                       const xt_secret_word *word)
{
    ptrdiff_t equals = xt_slice_find_byte(word->text, '=');
    xt_slice name = equals < 0 ? word->text : xt_slice_head(word->text, (size_t)equals);
    if (!xt_secret_words_match(&rule->words, name, true))
        return false;
    if (equals >= 0 && rule->how & XT_SECRET_ATTACHED)
        take_value(scan, rule, word, (size_t)equals + 1);
    else if (equals < 0 && rule->how & XT_SECRET_SEPARATE)
        c->pending = rule;
    return true;
}

static bool match_short(xt_secret_scan *scan, xt_secret_command *c, const xt_secret_rule *rule,
                        const xt_secret_word *word)
{
    for (size_t i = 0; i < rule->words.n; i++) {
        size_t end = flag_end(rule, rule->words.items[i], word->text);
        if (end == 0)
            continue;
        if (end < word->text.n && rule->how & XT_SECRET_ATTACHED) {
            take_value(scan, rule, word, end);
            return true;
        }
        if (end == word->text.n && rule->how & XT_SECRET_SEPARATE) {
            c->pending = rule;
            return true;
        }
    }
    return false;
}

static bool match_options(xt_secret_scan *scan, xt_secret_command *c, const xt_secret_rule *const *rules, size_t n,
                          const xt_secret_word *word)
{
    bool is_long = xt_slice_starts(word->text, XT_S("--"));
    for (size_t i = 0; i < n; i++)
        if (is_long ? match_long(scan, c, rules[i], word) : match_short(scan, c, rules[i], word))
            return true;
    return false;
}

static bool is_assignment(xt_slice word)
{
    size_t i = 0;
    while (i < word.n && (word.p[i] == '_' || (word.p[i] >= '0' && word.p[i] <= '9') ||
                          ((word.p[i] | 0x20) >= 'a' && (word.p[i] | 0x20) <= 'z')))
        i++;
    return i > 0 && i < word.n && word.p[i] == '=';
}

static bool has_blank(xt_slice word)
{
    return xt_slice_find_byte(word, ' ') >= 0 || xt_slice_find_byte(word, '\n') >= 0;
}

/* -c, -lc, --command of a shell. */
static bool is_script_option(xt_slice word)
{
    if (xt_slice_starts(word, XT_S("--")))
        return xt_slice_eq(word, XT_S("--command")) || xt_slice_eq(word, XT_S("--session-command"));
    return word.n > 1 && word.p[0] == '-' && xt_slice_find_byte(word, 'c') > 0;
}

static void look_for_subcommand(xt_secret_command *c, xt_slice word)
{
    for (size_t i = 0; i < c->n_armed; i++) {
        for (size_t k = 0; k < c->armed[i]->programs.n; k++) {
            xt_slice rest = c->armed[i]->programs.items[k], name;
            if (!xt_slice_cut(&rest, '/', &name) || !xt_slice_eq(rest, word) || c->n_sub == XT_SECRET_MAX_ACTIVE)
                continue;
            c->sub[c->n_sub++] = c->armed[i];
            c->armed[i] = c->armed[--c->n_armed];
            i--;
            break;
        }
    }
}

/* A script: what a shell is told to run. In joined text its words follow one by one. */
static void take_script(xt_secret_scan *scan, xt_secret_command *c, const xt_secret_word *word)
{
    c->awaits_script = false;
    if (scan->joined) {
        c->wrapper = NULL;
        begin_program(scan, c, word->text);
    } else {
        xt_secret_scan_shell(scan, word);
    }
}

/* Several words in one where a wrapper (ssh, eval) awaits its command: a shell reads them. */
static bool is_script(const xt_secret_scan *scan, const xt_secret_command *c, xt_slice text)
{
    return !scan->joined && c->awaits_program && c->wrapper && c->positionals_left == 0 && has_blank(text) &&
           text.p[0] != '-' && !is_assignment(text);
}

/* What a wrapper needs before its command, or the command's own name. */
static void take_before_program(xt_secret_scan *scan, xt_secret_command *c, const xt_secret_word *word)
{
    xt_slice text = word->text;
    if (c->wrapper && text.n > 1 && text.p[0] == '-') {
        (void)match_options(scan, c, c->active, c->n_active, word);
        (void)match_options(scan, c, c->sub, c->n_sub, word);
        c->skips = xt_secret_words_match(&c->wrapper->options, text, false);
    } else if (c->positionals_left > 0) {
        c->positionals_left--;
        look_for_subcommand(c, text);
    } else if (!is_assignment(text)) {
        begin_program(scan, c, text);
    }
}

void xt_secret_command_take(xt_secret_scan *scan, xt_secret_command *c, const xt_secret_word *word)
{
    const xt_secret_rule *pending = c->pending;
    bool skips = c->skips;
    c->pending = NULL;
    c->skips = false;
    if (c->awaits_script || (!pending && !skips && is_script(scan, c, word->text))) {
        c->awaits_program = false;
        take_script(scan, c, word);
        return;
    }
    if (!scan->joined)
        xt_secret_scan_anywhere(scan, word, false);
    bool is_option = word->text.n > 0 && word->text.p[0] == '-';
    if (pending && !(is_option && xt_slice_starts(pending->words.items[0], XT_S("--")))) {
        take_value(scan, pending, word, 0);
        return;
    }
    if (skips)
        return;
    if (c->awaits_program) {
        take_before_program(scan, c, word);
        return;
    }
    look_for_subcommand(c, word->text);
    if (match_options(scan, c, c->sub, c->n_sub, word) || match_options(scan, c, c->active, c->n_active, word))
        return;
    c->awaits_script = c->wrapper && c->wrapper->is_shell && is_script_option(word->text);
}
