/*
 * One pass over argv. Options go to `values` in the order given; operands are moved together in argv itself, which
 * needs no memory: the place written is never behind the place read. The nearest name is the one with the least
 * edits (insert, delete, replace, swap neighbours), if those are few for its length.
 */
#include "base/opt.h"

#include <assert.h>
#include <limits.h>

#define MAX_NAME_BYTES 40

typedef struct command_line {
    const xt_opt_program *program;
    const xt_opt_command *command; /* NULL: none was found */
    xt_opt_args *args;
    char **argv;
    int argc;
    int at;
    xt_buf *help;
    xt_problem *problem;
} command_line;

static unsigned min_of(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Edits between a and b; UINT_MAX when one is too long to be a name. */
static unsigned edit_distance(xt_slice a, xt_slice b)
{
    unsigned rows[3][MAX_NAME_BYTES + 1]; /* this row, the one before, and the one before that */

    if (a.n > MAX_NAME_BYTES || b.n > MAX_NAME_BYTES)
        return UINT_MAX;
    for (unsigned j = 0; j <= b.n; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= a.n; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
        row[0] = i;
        for (unsigned j = 1; j <= b.n; j++) {
            bool same = a.p[i - 1] == b.p[j - 1];
            row[j] = min_of(above[j - 1] + !same, min_of(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1])
                row[j] = min_of(row[j], above2[j - 2] + 1);
        }
    }
    return rows[a.n % 3][b.n];
}

/* The best name so far for what was typed. */
typedef struct nearest {
    xt_slice typed;
    const char *name;
    unsigned distance;
} nearest;

static void nearest_try(nearest *best, const char *name)
{
    xt_slice known = xt_slice_str(name);
    unsigned distance = edit_distance(best->typed, known);
    unsigned allowed = 1 + (unsigned)min_of((unsigned)known.n, MAX_NAME_BYTES) / 3;

    if (best->typed.n >= 2 && xt_slice_starts(known, best->typed))
        distance = 1;
    if (distance <= allowed && (!best->name || distance < best->distance)) {
        best->name = name;
        best->distance = distance;
    }
}

static void begin_problem(const command_line *line)
{
    xt_problem_source(line->problem, line->program->name);
}

static void hint_help(const command_line *line)
{
    const char *command = line->command ? line->command->name : "";

    xt_problem_hint(line->problem, "%s%s%s --help lists what there is", line->program->name, command[0] ? " " : "",
                    command);
}

static int unknown_option(const command_line *line, xt_slice name)
{
    nearest best = {.typed = name};

    begin_problem(line);
    xt_problem_set(line->problem, "unknown option --%.*s", XT_S_ARGS(name));
    for (const xt_opt *o = line->command ? line->command->options : NULL; o && o->name; o++)
        nearest_try(&best, o->name);
    nearest_try(&best, "help");
    if (!line->command || !line->command->name[0])
        nearest_try(&best, "version");
    if (best.name)
        xt_problem_hint(line->problem, "did you mean --%s?", best.name);
    else
        hint_help(line);
    return XT_OPT_E_USAGE;
}

static int unknown_letter(const command_line *line, char letter)
{
    begin_problem(line);
    xt_problem_set(line->problem, "unknown option -%c", letter);
    hint_help(line);
    return XT_OPT_E_USAGE;
}

static int unknown_command(const command_line *line)
{
    const char *first = line->argv[1], *second = line->argc > 2 ? line->argv[2] : "";
    char two[2 * MAX_NAME_BYTES];
    xt_buf both = XT_BUF_ON(two);

    xt_buf_printf(&both, "%s %s", first, second);
    nearest one_word = {.typed = xt_slice_str(first)}, two_words = {.typed = xt_buf_slice(&both)};
    for (const xt_opt_command *c = line->program->commands; c->name; c++)
        nearest_try(strchr(c->name, ' ') ? &two_words : &one_word, c->name);
    /* "alerts" alone is near to "alerts list" */
    if (!one_word.name && !two_words.name)
        for (const xt_opt_command *c = line->program->commands; c->name; c++)
            nearest_try(&one_word, c->name);
    begin_problem(line);
    xt_problem_set(line->problem, "unknown command %s", two_words.name && *second != '-' && *second ? two : first);
    if (one_word.name || two_words.name)
        xt_problem_hint(line->problem, "did you mean %s %s?", line->program->name,
                        one_word.name ? one_word.name : two_words.name);
    else
        hint_help(line);
    return XT_OPT_E_USAGE;
}

/* How many words of argv the command's name is; -1 when it is another. "" is none of them. */
static int command_words(const command_line *line, const char *name)
{
    xt_slice rest = name[0] ? xt_slice_str(name) : XT_S_NULL, word;
    int n = 0;

    while (xt_slice_cut(&rest, ' ', &word)) {
        if (n + 1 >= line->argc || !xt_slice_eq(word, xt_slice_str(line->argv[n + 1])))
            return -1;
        n++;
    }
    return n;
}

static void find_command(command_line *line)
{
    int best = -1;

    for (const xt_opt_command *c = line->program->commands; c->name; c++) {
        int n = command_words(line, c->name);
        if (n > best) {
            best = n;
            line->command = c;
            line->at = 1 + n;
        }
    }
}

static const xt_opt *find_option(const xt_opt_command *command, xt_slice name)
{
    for (const xt_opt *o = command->options; o && o->name; o++)
        if (xt_slice_eq(name, xt_slice_str(o->name)))
            return o;
    return NULL;
}

static const xt_opt *find_letter(const xt_opt_command *command, char letter)
{
    for (const xt_opt *o = command->options; o && o->name; o++)
        if (o->letter == letter)
            return o;
    return NULL;
}

static int add_value(command_line *line, const xt_opt *opt, const char *value)
{
    xt_opt_args *args = line->args;

    begin_problem(line);
    if (!value && opt->value && line->at < line->argc)
        value = line->argv[line->at++];
    if (!value && opt->value) {
        xt_problem_set(line->problem, "--%s needs a value (%s)", opt->name, opt->value);
        return XT_OPT_E_USAGE;
    }
    if (!opt->many && xt_opt_has(args, opt->name)) {
        xt_problem_set(line->problem, "--%s is given twice", opt->name);
        return XT_OPT_E_USAGE;
    }
    if (args->n_values == XT_OPT_MAX_VALUES) {
        xt_problem_set(line->problem, "more than %d options", XT_OPT_MAX_VALUES);
        return XT_OPT_E_USAGE;
    }
    args->values[args->n_values].opt = opt;
    args->values[args->n_values++].value = value ? value : "";
    return 0;
}

static int give_help(command_line *line)
{
    bool all = !line->command || !line->command->name[0];
    int r;

    xt_opt_help(line->program, all ? NULL : line->command, line->help);
    r = xt_buf_done(line->help);
    return r < 0 ? xt_error_trace(r) : XT_OPT_E_HELP;
}

static int give_version(command_line *line)
{
    int r;

    xt_buf_printf(line->help, "%s %s\n", line->program->name, line->program->version);
    r = xt_buf_done(line->help);
    return r < 0 ? xt_error_trace(r) : XT_OPT_E_HELP;
}

/* --name, --name=value */
static int read_long(command_line *line, const char *word)
{
    const char *equals = strchr(word, '=');
    xt_slice name = equals ? xt_slice_of(word, (size_t)(equals - word)) : xt_slice_str(word);
    const xt_opt *opt = line->command ? find_option(line->command, name) : NULL;

    if (!opt && xt_slice_eq(name, XT_S("help")))
        return give_help(line);
    if (!opt && xt_slice_eq(name, XT_S("version")) && (!line->command || !line->command->name[0]))
        return give_version(line);
    if (!opt)
        return unknown_option(line, name);
    if (equals && !opt->value) {
        begin_problem(line);
        xt_problem_set(line->problem, "--%s takes no value", opt->name);
        return XT_OPT_E_USAGE;
    }
    return add_value(line, opt, equals ? equals + 1 : NULL);
}

/* -f value, -fvalue, and switches together: -ab */
static int read_letters(command_line *line, const char *letters)
{
    for (; *letters; letters++) {
        const xt_opt *opt = line->command ? find_letter(line->command, *letters) : NULL;
        if (!opt)
            return *letters == 'h' ? give_help(line) : unknown_letter(line, *letters);
        bool attached = opt->value && letters[1];
        int r = add_value(line, opt, attached ? letters + 1 : NULL);
        if (r != 0 || opt->value)
            return r;
    }
    return 0;
}

/* Everything behind the command's words. */
static int read_words(command_line *line)
{
    xt_opt_args *args = line->args;
    bool options_end = false;
    int r = 0;

    args->operands = line->argv + line->at;
    while (r == 0 && line->at < line->argc) {
        char *word = line->argv[line->at++];
        if (options_end || word[0] != '-' || word[1] == '\0')
            args->operands[args->n_operands++] = word;
        else if (strcmp(word, "--") == 0)
            options_end = true;
        else if (word[1] == '-')
            r = read_long(line, word + 2);
        else
            r = read_letters(line, word + 1);
    }
    return r;
}

static int check_operands(const command_line *line)
{
    const xt_opt_args *args = line->args;
    const xt_opt_command *command = line->command;

    begin_problem(line);
    if (args->n_operands > command->max_operands) {
        xt_problem_set(line->problem, "\"%s\" is one word too many", args->operands[command->max_operands]);
        hint_help(line);
        return XT_OPT_E_USAGE;
    }
    if (args->n_operands < command->min_operands) {
        xt_problem_set(line->problem, "%s is missing", command->operands[0] ? command->operands : "a word");
        hint_help(line);
        return XT_OPT_E_USAGE;
    }
    return 0;
}

static int check_required(const command_line *line)
{
    for (const xt_opt *o = line->command->options; o && o->name; o++) {
        if (!o->required || xt_opt_has(line->args, o->name))
            continue;
        begin_problem(line);
        xt_problem_set(line->problem, "--%s %s is missing", o->name, o->value ? o->value : "");
        hint_help(line);
        return XT_OPT_E_USAGE;
    }
    return 0;
}

static bool is_flag(const char *word)
{
    return word[0] == '-' && word[1] != '\0';
}

/* No command: only --help and --version are known; a program of one command always has one. */
static int without_command(command_line *line)
{
    if (line->argc > 1 && is_flag(line->argv[1])) {
        line->at = 2;
        return line->argv[1][1] == '-' ? read_long(line, line->argv[1] + 2) : read_letters(line, line->argv[1] + 1);
    }
    for (int i = 2; i < line->argc && line->argv[i - 1][0] != '-'; i++)
        if (strcmp(line->argv[i], "--help") == 0)
            return give_help(line);
    if (line->argc > 1)
        return unknown_command(line);
    begin_problem(line);
    xt_problem_set(line->problem, "a command is missing");
    hint_help(line);
    return XT_OPT_E_USAGE;
}

int xt_opt_parse(const xt_opt_program *program, int argc, char **argv, xt_opt_args *ret_args, xt_buf *ret_help,
                 xt_problem *reterr_problem)
{
    xt_opt_args args = {.program = program};
    command_line line = {
        .program = program, .args = &args, .argv = argv, .argc = argc, .help = ret_help, .problem = reterr_problem};

    find_command(&line);
    if (!line.command)
        return without_command(&line);
    bool others = program->commands[0].name && program->commands[1].name;
    if (!line.command->name[0] && !line.command->max_operands && others && argc > 1 && argv[1][0] != '-')
        return unknown_command(&line);

    args.command = line.command;
    int r = read_words(&line);
    if (r == 0)
        r = check_operands(&line);
    if (r == 0)
        r = check_required(&line);
    if (r == 0)
        *ret_args = args;
    return r;
}

const char *xt_opt_nth(const xt_opt_args *args, const char *name, unsigned i)
{
    const xt_opt *opt = find_option(args->command, xt_slice_str(name));

    assert(opt);
    for (unsigned v = 0; v < args->n_values; v++)
        if (args->values[v].opt == opt && i-- == 0)
            return args->values[v].value;
    return NULL;
}

bool xt_opt_has(const xt_opt_args *args, const char *name)
{
    return xt_opt_nth(args, name, 0) != NULL;
}

const char *xt_opt_get(const xt_opt_args *args, const char *name)
{
    const xt_opt *opt = find_option(args->command, xt_slice_str(name));
    const char *value = NULL;

    assert(opt);
    for (unsigned v = 0; v < args->n_values; v++)
        if (args->values[v].opt == opt)
            value = args->values[v].value;
    return value ? value : opt->fallback;
}
