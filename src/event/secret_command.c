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

/* A rule of the program, or of its subcommand, from here on. */
static void enter(xt_secret_command *c, const xt_secret_rule *rule, const xt_secret_rule **rules, size_t *n)
{
    if (rule->kind == XT_SECRET_STDIN && !rule->needs_flag) {
        c->reads = rule;
    } else if (rule->kind == XT_SECRET_WORD && !rule->needs_flag) {
        c->counted = rule;
        c->n_words = 0;
    } else if (*n < XT_SECRET_MAX_ACTIVE) {
        rules[(*n)++] = rule;
    }
}

static bool has_programs(const xt_secret_rule *rule)
{
    return rule->kind == XT_SECRET_OPTION || rule->kind == XT_SECRET_WORD || rule->kind == XT_SECRET_STDIN;
}

static void choose_options(const xt_secret_scan *scan, xt_secret_command *c, xt_slice program, xt_slice alias)
{
    size_t n;
    const xt_secret_rule *rules = xt_secret_rules_get(scan->rules, &n);
    c->n_active = 0;
    c->counted = NULL;
    c->n_words = 0;
    for (size_t i = 0; i < n; i++) {
        if (!has_programs(&rules[i]))
            continue;
        bool matches = xt_secret_words_match(&rules[i].programs, program, false) ||
                       (alias.n > 0 && xt_secret_words_match(&rules[i].programs, alias, false));
        if (matches)
            enter(c, &rules[i], c->active, &c->n_active);
        else
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

/* - for standard input, ! and * for no password. */
static bool is_placeholder(xt_slice value)
{
    return value.n == 1 && strchr("-!*.", value.p[0]);
}

static void take_value(xt_secret_scan *scan, const xt_secret_rule *rule, const xt_secret_word *word, size_t from)
{
    if (rule->behind) {
        ptrdiff_t at = xt_slice_find_byte(xt_slice_skip(word->text, from), rule->behind);
        bool is_past = rule->until && at >= 0 &&
                       xt_slice_find_byte(xt_slice_of(word->text.p + from, (size_t)at), rule->until) >= 0;
        if (at < 0 || is_past) /* root@host:port names no password */
            return;
        from += (size_t)at + 1;
    }
    size_t to = word->text.n;
    while (rule->until && to > from && word->text.p[to - 1] != rule->until)
        to--;
    to = rule->until ? to > from ? to - 1 : word->text.n : to;
    if (is_placeholder(xt_slice_of(word->text.p + from, to - from)))
        return;
    char plain[] = {rule->plain, '\0'};
    xt_secret_hit_add(scan, word, from, to, rule, plain, false);
}

/* A value that is no value of the text: what another command prints. */
static bool is_substitution(const xt_secret_word *word)
{
    return word->in_shell && (xt_slice_starts(word->text, XT_S("$(")) || xt_slice_starts(word->text, XT_S("`")));
}

void xt_secret_command_read(xt_secret_scan *scan, const xt_secret_command *c, const xt_secret_word *word)
{
    if (c->reads && !is_substitution(word))
        take_value(scan, c->reads, word, 0);
}

/* The flag of a rule that is no option's: from now on its word is counted, or what is read is a secret. */
static bool is_flag_of(const xt_secret_rule *rule, xt_slice word, size_t end)
{
    return end > 0 && (end == word.n || rule->bundle.n > 0);
}

static bool note_flag(xt_secret_command *c, const xt_secret_rule *rule, xt_slice word)
{
    bool is_long = xt_slice_starts(word, XT_S("--"));
    ptrdiff_t equals = is_long ? xt_slice_find_byte(word, '=') : -1;
    bool found =
        is_long && xt_secret_words_match(&rule->words, xt_slice_head(word, equals < 0 ? word.n : (size_t)equals), true);
    for (size_t i = 0; !is_long && !found && i < rule->words.n; i++)
        found = is_flag_of(rule, word, flag_end(rule, rule->words.items[i], word));
    if (found && rule->kind == XT_SECRET_STDIN)
        c->reads = rule;
    if (found && rule->kind == XT_SECRET_WORD)
        c->counted = rule;
    return false; /* other rules may have to do with that word */
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
        if (rules[i]->kind != XT_SECRET_OPTION ? note_flag(c, rules[i], word->text)
            : is_long                          ? match_long(scan, c, rules[i], word)
                                               : match_short(scan, c, rules[i], word))
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
            if (!xt_slice_cut(&rest, '/', &name) || !xt_slice_eq(rest, word))
                continue;
            enter(c, c->armed[i], c->sub, &c->n_sub);
            c->armed[i] = c->armed[--c->n_armed];
            i--;
            break;
        }
    }
}

/* The word that a rule counts to. NAME=VALUE is another kind; what begins with the byte looked for (/nolog) holds none. */
static bool take_counted(xt_secret_scan *scan, xt_secret_command *c, const xt_secret_word *word)
{
    if (!c->counted || ++c->n_words != c->counted->nth || word->text.n == 0 || word->text.p[0] == c->counted->behind ||
        is_assignment(word->text))
        return false;
    take_value(scan, c->counted, word, 0);
    return true;
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
    if (!is_option && take_counted(scan, c, word))
        return;
    c->skips = is_option && c->counted && xt_secret_words_match(&c->counted->skips, word->text, false);
    look_for_subcommand(c, word->text);
    if (match_options(scan, c, c->sub, c->n_sub, word) || match_options(scan, c, c->active, c->n_active, word))
        return;
    c->awaits_script = c->wrapper && c->wrapper->is_shell && is_script_option(word->text);
}
