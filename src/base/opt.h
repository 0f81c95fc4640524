/*
 * base/opt - command lines from one table: parsing, --help and the man page
 *
 * Shape:     a program is a list of commands, a command a list of options and operands.
 *            --help everywhere, and --version before a command, are known without being in a table.
 * Errors:    XT_OPT_E_USAGE with a problem that names the flag and the nearest known one; XT_OPT_E_HELP when
 *            --help or --version was asked for (text is in *ret_help, exit with 0); -ENOMEM.
 * Ownership: values point into argv, whose slots are put in another order (operands together).
 * Limits:    XT_OPT_MAX_VALUES options on one command line.
 */
#pragma once
#include "base/problem.h"

enum {
    XT_OPT_E_USAGE = 1,
    XT_OPT_E_HELP = 2,
};

typedef struct xt_opt {
    const char *name;  /* "data": --data; the end of a table has NULL here */
    char letter;       /* 'f': -f, or 0 */
    const char *value; /* what the value is called ("DIR"), NULL for a switch */
    bool many;         /* may be given more than once */
    bool required;
    const char *fallback; /* shown as the default, may be NULL */
    const char *help;
} xt_opt;

struct xt_opt_args;

typedef struct xt_opt_command {
    const char *name;     /* "search", "alerts list": words the command line starts with; "" for a program of one */
    const char *operands; /* "'KQL'", "FILE...", "" */
    unsigned min_operands, max_operands; /* max 0: none, UINT_MAX: any */
    const char *summary;                 /* one line */
    const char *text;                    /* paragraphs, a line with spaces in front stands as it is; may be NULL */
    const xt_opt *options;
    int (*run)(const struct xt_opt_args *args);
} xt_opt_command;

typedef struct xt_opt_program {
    const char *name;
    const char *summary;
    const char *version;
    const xt_opt_command *commands; /* ended by name == NULL */
    const char *footer;             /* paragraphs at the end, may be NULL */
    const char *section;            /* of the manual; NULL: "1" */
} xt_opt_program;

#define XT_OPT_MAX_VALUES 256

typedef struct xt_opt_args {
    const xt_opt_program *program;
    const xt_opt_command *command;
    unsigned n_values;
    struct {
        const xt_opt *opt;
        const char *value;
    } values[XT_OPT_MAX_VALUES];
    unsigned n_operands;
    char **operands;
} xt_opt_args;

/* Finds the command and reads its options; `--` ends options; `--name=value` and `--name value` both work. */
XT_MUST_USE int xt_opt_parse(const xt_opt_program *program, int argc, char **argv, xt_opt_args *ret_args,
                             xt_buf *ret_help, xt_problem *reterr_problem);

/* The last value given ("" of a switch), or the table's fallback, or NULL. An unknown name is our own mistake. */
const char *xt_opt_get(const xt_opt_args *args, const char *name);
bool xt_opt_has(const xt_opt_args *args, const char *name);
/* The i-th value of an option that may be given many times, or NULL. */
const char *xt_opt_nth(const xt_opt_args *args, const char *name, unsigned i);

void xt_opt_help(const xt_opt_program *program, const xt_opt_command *command, xt_buf *out); /* command NULL: all */
void xt_opt_man(const xt_opt_program *program, xt_buf *out);
