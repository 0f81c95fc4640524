/* base/opt: command lines of every shape, help that fits 80 columns, a man page that is roff. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/opt.h"

static const xt_opt search_options[] = {
    {.name = "data", .letter = 'd', .value = "DIR", .required = true, .help = "the store's directory"},
    {.name = "format", .letter = 'f', .value = "FMT", .fallback = "table", .help = "table, ndjson, csv or raw"},
    {.name = "rules",
     .value = "DIR",
     .many = true,
     .help = "a directory of rules; a help text that is long enough to need a second line of the eighty columns"},
    {.name = "count", .letter = 'c', .help = "print the number of hits alone"},
    {.name = "verbose", .letter = 'v', .help = "say more"},
    {0},
};
static const xt_opt list_options[] = {
    {.name = "a-name-too-long-for-the-column", .value = "X", .help = "help"},
    {.name = "by", .value = "FIELD", .help = "group by a field"},
    {0},
};
static const xt_opt_command commands[] = {
    {.name = "search",
     .operands = "'KQL'",
     .min_operands = 1,
     .max_operands = 1,
     .summary = "find events",
     .text = "A first paragraph.\n\n  exectrail search 'user:alice'\n\n.not a request \\ and - a dash",
     .options = search_options},
    {.name = "alerts list", .operands = "", .summary = "list alerts", .options = list_options},
    {.name = "alerts show", .operands = "ID...", .min_operands = 1, .max_operands = UINT_MAX, .summary = "show one"},
    {0},
};
static const xt_opt_program program = {.name = "exectrail",
                                       .summary = "every command that ran",
                                       .version = "1.2",
                                       .commands = commands,
                                       .footer = "The end."};

static const xt_opt agent_options[] = {{.name = "config", .value = "FILE", .help = "settings"}, {0}};
static const xt_opt_command agent_commands[] = {
    {.name = "", .operands = "", .summary = "run", .text = "Runs.", .options = agent_options},
    {.name = "status", .operands = "", .summary = "how it goes"},
    {0},
};
static const xt_opt_program agent = {
    .name = "exectrail-agent", .summary = "records", .version = "1.2", .commands = agent_commands, .section = "8"};

static xt_opt_args args;
static xt_buf help;
static xt_problem problem;

/* Parses the words of a line, parted by single spaces; an empty word by two. */
static int parse(const xt_opt_program *of, const char *line)
{
    static char words[512];
    static char *argv[64];
    int argc = 0;

    snprintf(words, sizeof words, "%s %s", of->name, line);
    if (!line[0])
        words[strlen(of->name)] = '\0';
    for (char *at = words; at; argc++) {
        argv[argc] = at;
        at = strchr(at, ' ');
        if (at)
            *at++ = '\0';
    }
    problem = XT_PROBLEM_INIT;
    xt_buf_reset(&help);
    memset(&args, 0, sizeof args);
    return xt_opt_parse(of, argc, argv, &args, &help, &problem);
}

static void assert_refused(const xt_opt_program *of, const char *line, const char *want)
{
    xt_buf out = XT_BUF_INIT;

    assert_int_equal(parse(of, line), XT_OPT_E_USAGE);
    assert_null(args.command);
    xt_problem_format(&problem, &out);
    xt_buf_putc(&out, '\0');
    assert_string_equal(out.p, want);
    xt_buf_fini(&out);
}

static void test_forms_of_options(void **state)
{
    const char *lines[] = {
        "search --data D --format csv --count user:alice", "search user:alice -d D -f csv -c",
        "search --data=D --format=csv user:alice --count", "search -dD -cfcsv user:alice",
        "search -cvdD --format csv -- user:alice",
    };

    for (size_t i = 0; i < XT_COUNT_OF(lines); i++) {
        assert_int_equal(parse(&program, lines[i]), 0);
        assert_ptr_equal(args.command, &commands[0]);
        assert_string_equal(xt_opt_get(&args, "data"), "D");
        assert_string_equal(xt_opt_get(&args, "format"), "csv");
        assert_true(xt_opt_has(&args, "count") && !xt_opt_has(&args, "rules"));
        assert_int_equal(args.n_operands, 1);
        assert_string_equal(args.operands[0], "user:alice");
    }
}

static void test_values(void **state)
{
    assert_int_equal(parse(&program, "search --rules=a q --rules b --data= --rules c"), 0);
    assert_string_equal(xt_opt_get(&args, "rules"), "c");
    assert_string_equal(xt_opt_nth(&args, "rules", 1), "b");
    assert_null(xt_opt_nth(&args, "rules", 3));
    assert_string_equal(xt_opt_get(&args, "format"), "table");
    assert_false(xt_opt_has(&args, "format"));
    assert_string_equal(xt_opt_get(&args, "data"), "");
    assert_null(xt_opt_get(&args, "count"));
}

static void test_operands(void **state)
{
    assert_int_equal(parse(&program, "alerts show 1 - -- --data 2"), 0);
    assert_ptr_equal(args.command, &commands[2]);
    assert_int_equal(args.n_operands, 4);
    const char *want[] = {"1", "-", "--data", "2"};
    for (size_t i = 0; i < XT_COUNT_OF(want); i++)
        assert_string_equal(args.operands[i], want[i]);
    assert_int_equal(parse(&agent, "--config F"), 0);
    assert_ptr_equal(args.command, &agent_commands[0]);
    assert_int_equal(parse(&agent, ""), 0);
    assert_int_equal(parse(&agent, "status"), 0);
    assert_ptr_equal(args.command, &agent_commands[1]);
}

static void test_refusals(void **state)
{
    assert_refused(&program, "search -d D q --fromat csv",
                   "exectrail: unknown option --fromat; did you mean --format?");
    assert_refused(&program, "search -d D q --form=csv", "exectrail: unknown option --form; did you mean --format?");
    assert_refused(&program, "alerts list --yb", "exectrail: unknown option --yb; did you mean --by?");
    assert_refused(&program, "search -d D q --zzzzzz",
                   "exectrail: unknown option --zzzzzz; exectrail search --help lists what there is");
    assert_refused(&program, "search -d D q -cz",
                   "exectrail: unknown option -z; exectrail search --help lists what there is");
    assert_refused(&program, "serach q", "exectrail: unknown command serach; did you mean exectrail search?");
    assert_refused(&program, "alerts lst",
                   "exectrail: unknown command alerts lst; did you mean exectrail alerts list?");
    assert_refused(&program, "alerts", "exectrail: unknown command alerts; did you mean exectrail alerts list?");
    assert_refused(&program, "qqqqqqqq", "exectrail: unknown command qqqqqqqq; exectrail --help lists what there is");
    assert_refused(&program, "", "exectrail: a command is missing; exectrail --help lists what there is");
    assert_refused(&program, "--hepl", "exectrail: unknown option --hepl; did you mean --help?");
    assert_refused(&program, "search q --data", "exectrail: --data needs a value (DIR)");
    assert_refused(&program, "search q -d", "exectrail: --data needs a value (DIR)");
    assert_refused(&program, "search q -d a --data b", "exectrail: --data is given twice");
    assert_refused(&program, "search q -d a --count=3", "exectrail: --count takes no value");
    assert_refused(&program, "search q",
                   "exectrail: --data DIR is missing; exectrail search --help lists what there is");
    assert_refused(&program, "search -d D", "exectrail: 'KQL' is missing; exectrail search --help lists what there is");
    assert_refused(&program, "search -d D a b",
                   "exectrail: \"b\" is one word too many; exectrail search --help lists what there is");
    assert_refused(&agent, "statsu", "exectrail-agent: unknown command statsu; did you mean exectrail-agent status?");
}

static void test_too_many_values(void **state)
{
    static char *argv[4 + 2 * XT_OPT_MAX_VALUES];
    static char name[] = "exectrail", command[] = "search", flag[] = "--rules", dir[] = "x";
    int argc = 2;

    argv[0] = name;
    argv[1] = command;
    for (int i = 0; i <= XT_OPT_MAX_VALUES; i++) {
        argv[argc++] = flag;
        argv[argc++] = dir;
    }
    problem = XT_PROBLEM_INIT;
    assert_int_equal(xt_opt_parse(&program, argc, argv, &args, &help, &problem), XT_OPT_E_USAGE);
    assert_string_equal(problem.sentence, "more than 256 options");
}

static void test_help_fits_the_terminal(void **state)
{
    const char *lines[] = {"--help", "-h", "search --help", "search -d D -h", "alerts list --help", "alerts --help"};
    xt_slice rest, line;

    for (size_t i = 0; i < XT_COUNT_OF(lines); i++) {
        assert_int_equal(parse(&program, lines[i]), XT_OPT_E_HELP);
        rest = xt_buf_slice(&help);
        assert_true(xt_slice_ends(rest, XT_S("\n")) && !xt_slice_ends(rest, XT_S("\n\n")));
        assert_true(xt_slice_find(rest, XT_S("\n\n\n")) < 0);
        while (xt_slice_cut(&rest, '\n', &line))
            assert_true(line.n <= 80 && !xt_slice_ends(line, XT_S(" ")));
    }
    assert_int_equal(parse(&program, "--version"), XT_OPT_E_HELP);
    assert_true(xt_slice_eq(xt_buf_slice(&help), XT_S("exectrail 1.2\n")));
    assert_int_equal(parse(&agent, "--help"), XT_OPT_E_HELP);
    assert_true(xt_slice_find(xt_buf_slice(&help), XT_S("--config FILE")) > 0);
    assert_true(xt_slice_find(xt_buf_slice(&help), XT_S("  status  how it goes\n")) > 0);
}

static void test_help_text(void **state)
{
    static const char want[] = "Usage: exectrail search --data DIR [OPTION]... 'KQL'\n"
                               "\n"
                               "find events\n"
                               "\n"
                               "A first paragraph.\n"
                               "\n"
                               "  exectrail search 'user:alice'\n"
                               "\n"
                               ".not a request \\ and - a dash\n"
                               "\n"
                               "Options:\n"
                               "  -d, --data DIR          the store's directory (required)\n"
                               "  -f, --format FMT        table, ndjson, csv or raw (default: table)\n"
                               "      --rules DIR         a directory of rules; a help text that is long enough\n"
                               "                          to need a second line of the eighty columns (may be\n"
                               "                          repeated)\n"
                               "  -c, --count             print the number of hits alone\n"
                               "  -v, --verbose           say more\n"
                               "  -h, --help              show this text\n";

    assert_int_equal(parse(&program, "search --help"), XT_OPT_E_HELP);
    xt_buf_putc(&help, '\0');
    assert_string_equal(help.p, want);
}

static void test_man_page(void **state)
{
    xt_buf_reset(&help);
    xt_opt_man(&program, &help);
    xt_slice man = xt_buf_slice(&help), line;
    assert_true(xt_slice_starts(man, XT_S(".TH EXECTRAIL 1 \"\" \"exectrail 1.2\"\n.SH NAME\nexectrail \\- every")));
    assert_true(xt_slice_find(man, XT_S("\n.SS alerts list\n")) > 0);
    assert_true(xt_slice_find(man, XT_S("\n\\&.not a request \\e and \\- a dash\n")) > 0);
    assert_true(xt_slice_find(man, XT_S(".nf\n\\&  exectrail search \\(aquser:alice\\(aq\n.fi\n")) > 0);
    assert_true(xt_slice_find(man, XT_S(".TP\n\\fB\\-f\\fR, \\fB\\-\\-format\\fR \\fIFMT\\fR\n")) > 0);
    while (xt_slice_cut(&man, '\n', &line))
        if (line.n && (line.p[0] == '.' || line.p[0] == '\''))
            assert_true(xt_slice_starts(line, XT_S(".TH ")) || xt_slice_starts(line, XT_S(".S")) ||
                        xt_slice_eq(line, XT_S(".TP")) || xt_slice_eq(line, XT_S(".PP")) ||
                        xt_slice_eq(line, XT_S(".nf")) || xt_slice_eq(line, XT_S(".fi")));
    xt_buf_reset(&help);
    xt_opt_man(&agent, &help);
    assert_true(xt_slice_starts(xt_buf_slice(&help), XT_S(".TH EXECTRAIL-AGENT 8 ")));
}

static int group_end(void **state)
{
    xt_buf_fini(&help);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms_of_options), cmocka_unit_test(test_values),
        cmocka_unit_test(test_operands),         cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_too_many_values),  cmocka_unit_test(test_help_fits_the_terminal),
        cmocka_unit_test(test_help_text),        cmocka_unit_test(test_man_page),
    };
    return cmocka_run_group_tests(tests, NULL, group_end);
}
