/*
 * event/secret_rules - which parts of a command line are secrets: a table that is read once
 *
 * Shape:     rules in the order of the table; programs that lead to other programs (wrappers, shells); and the
 *            literals without one of which no rule can match (the filter).
 * Format:    docs/secrets.md; the table built in is rules/secrets/default.txt.
 * Errors:    XT_SECRET_E_INVALID with a problem that names line and column; <0 memory.
 * Ownership: counted; all texts stand in memory of the rules' own.
 * Threads:   constant once made; ref and unref from any thread.
 */
#pragma once
#include "base/problem.h"

#define XT_SECRET_MAX_RULES 256
#define XT_SECRET_MAX_VALUE 256 /* bytes; a longer value stays and is flagged */

enum {
    XT_SECRET_E_INVALID = 1,
};

typedef enum xt_secret_kind {
    XT_SECRET_OPTION,
    XT_SECRET_ASSIGN,
    XT_SECRET_HEADER,
    XT_SECRET_URI,
    XT_SECRET_TOKEN,
    XT_SECRET_JWT,
    XT_SECRET_PEM,
    XT_SECRET_WORD,   /* the Nth word that is no option */
    XT_SECRET_STDIN,  /* what a shell prints into the program */
    XT_SECRET_PHRASE, /* in quotes behind these words */
} xt_secret_kind;

/* Where the value of an option stands. */
enum {
    XT_SECRET_ATTACHED = 1 << 0, /* -pX, --password=X, pass:X */
    XT_SECRET_SEPARATE = 1 << 1, /* the next word */
};

typedef struct xt_secret_words {
    const xt_slice *items;
    size_t n;
} xt_secret_words;

typedef struct xt_secret_rule {
    xt_secret_kind kind;
    xt_slice name;
    xt_secret_words programs; /* of an option, word or stdin: NAME, NAME/SUBCOMMAND, * or !NAME */
    xt_secret_words words;    /* flags, globs or headers; a token's prefix */
    unsigned how;
    bool needs_flag;       /* of a word or stdin: one of the flags, not * */
    uint64_t nth;          /* of a word: from 1, behind the program or its subcommand */
    char behind;           /* only what stands behind the first of it goes; 0: all */
    char until;            /* and before the last of it; 0: all */
    char plain;            /* a byte that the value may hold though it means something to a shell; 0: none */
    xt_secret_words skips; /* of a word: options whose value is another word, which does not count */
    xt_slice bundle;       /* letters that may stand between the dash and a flag's letter */
    uint64_t min;          /* of a token: bytes behind the prefix, */
    char alphabet;         /* 'a' letters and digits, 'w' and _, 'd' and _ and - */
} xt_secret_rule;

typedef struct xt_secret_wrapper {
    xt_secret_words programs, options;
    uint64_t n_positionals;
    bool is_shell;
} xt_secret_wrapper;

typedef struct xt_secret_rules xt_secret_rules;
XT_MUST_USE int xt_secret_rules_parse(xt_slice text, const char *source, xt_secret_rules **ret,
                                      xt_problem *reterr_problem);
/* The table built in. */
XT_MUST_USE int xt_secret_rules_builtin(xt_secret_rules **ret);
xt_secret_rules *xt_secret_rules_ref(xt_secret_rules *rules);
xt_secret_rules *xt_secret_rules_unref(xt_secret_rules *rules); /* accepts NULL, returns NULL */

const xt_secret_rule *xt_secret_rules_get(const xt_secret_rules *rules, size_t *ret_n);
/* The wrapper or the shell of that name; NULL when it is none. */
const xt_secret_wrapper *xt_secret_wrapper_find(const xt_secret_rules *rules, xt_slice program);
/* Whether the words hold it; a word with ! takes it out again. Names exactly, globs without regard to case. */
bool xt_secret_words_match(const xt_secret_words *words, xt_slice text, bool glob);
/* Whether any rule could match in these bytes. Linear; most bytes cost one look into a small table. */
bool xt_secret_rules_may_match(const xt_secret_rules *rules, xt_slice bytes);
