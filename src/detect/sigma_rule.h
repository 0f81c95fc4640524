/*
 * detect/sigma_rule - one YAML document becomes a rule or a noise rule
 *
 * Errors:    XT_SIGMA_E_BAD: refused, with line and column. XT_SIGMA_E_NOT_OURS: a rule for a log source that is not
 *            evaluated here; nothing is wrong with it. <0 memory.
 * Ownership: all in the program's arena.
 */
#pragma once
#include "detect/detect.h"
#include "detect/sigma_condition.h"

enum {
    XT_SIGMA_E_NOT_OURS = 2,
};

#define XT_SIGMA_MAX_SELECTIONS 500
#define XT_SIGMA_MAX_RAISES     5

/* What stands under `detection`. */
typedef struct xt_sigma_detection {
    xt_sigma_selection *selections;
    size_t n_selections;
    const xt_sigma_expr *condition; /* NULL where none is asked for (login-shell) */
} xt_sigma_detection;

typedef struct xt_sigma_rule {
    xt_rule_info info;
    xt_sigma_scope scope;
    xt_sigma_detection detection;
    struct {
        xt_level level;
        const xt_sigma_expr *when;
    } raises[XT_SIGMA_MAX_RAISES]; /* highest level first */
    size_t n_raises;
} xt_sigma_rule;

typedef enum xt_noise_kind { XT_NOISE_MATCH, XT_NOISE_LOGIN_SHELL } xt_noise_kind;

typedef struct xt_noise_rule {
    xt_slice name, owner, reason;
    xt_noise_kind kind;
    xt_sigma_scope scope;
    xt_sigma_detection detection;
    const xt_sigma_expr *session, *startup, *shown; /* login-shell's selections; shown may be NULL */
    int64_t quiet_ms, max_ms;
} xt_noise_rule;

/* True when the document is a noise rule: it has a map `noise`. */
bool xt_sigma_is_noise(const xt_yaml_node *root);
/* stem: the file's name without its ending, the id of a rule that has none. */
XT_MUST_USE int xt_sigma_rule_compile(xt_sigma_program *program, const xt_yaml_node *root, const char *file,
                                      xt_slice stem, xt_sigma_rule *ret, xt_problem *reterr_problem);
XT_MUST_USE int xt_sigma_noise_compile(xt_sigma_program *program, const xt_yaml_node *root, xt_noise_rule *ret,
                                       xt_problem *reterr_problem);
