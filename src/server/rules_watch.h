/*
 * server/rules_watch - the rules in force, and noticing that their files changed
 *
 * Shape:     the rules built in (written to DIR/rules-builtin, so that a message about one names a file that is there) and
 *            the folders and files of the settings, compiled to one set that is swapped whole.
 * Errors:    a refused rule is kept as a problem; a load that fails as a whole leaves the rules as they were.
 * Threads:   any.
 */
#pragma once
#include "server/app.h"

typedef struct xt_rules_watch xt_rules_watch;

XT_MUST_USE int xt_rules_watch_open(const xt_app_settings *settings, xt_rules_watch **ret, xt_problem *reterr_problem);
xt_rules_watch *xt_rules_watch_close(xt_rules_watch *watch);
xt_ruleset *xt_rules_watch_get(xt_rules_watch *watch); /* a reference */
XT_MUST_USE int xt_rules_watch_load(xt_rules_watch *watch, xt_problem *reterr_problem);
/* Loads again when a file came, went or changed since the last look; *ret_loaded says whether it did. */
XT_MUST_USE int xt_rules_watch_poll(xt_rules_watch *watch, bool *ret_loaded, xt_problem *reterr_problem);
void xt_rules_watch_refused(xt_rules_watch *watch, void (*each)(void *context, const xt_problem *problem),
                            void *context);
