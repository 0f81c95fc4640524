/*
 * server/forward_run - one forward at work
 *
 * Threads:   a thread of its own between start and join; info from any. new, start, ask_to_end and join from one at a time.
 */
#pragma once
#include "server/forward.h"

typedef struct xt_forward_run xt_forward_run;

/* Copies the spec; a position that the store has not reached (an older one was restored) is taken back. Nothing runs yet. XT_APP_E_INVALID. */
XT_MUST_USE int xt_forward_run_new(xt_app *app, const xt_forward_spec *spec, const xt_forward_state *state,
                                   xt_forward_run **ret, xt_problem *reterr_problem);
XT_MUST_USE int xt_forward_run_start(xt_forward_run *run);
/* It settles what it has sent; hurry: it does not wait for its target any more. Then join. */
void xt_forward_run_ask_to_end(xt_forward_run *run, bool hurry);
bool xt_forward_run_has_ended(xt_forward_run *run);
void xt_forward_run_join(xt_forward_run *run);
xt_forward_run *xt_forward_run_free(xt_forward_run *run); /* joins */
/* Texts are valid as long as the run. */
void xt_forward_run_info(xt_forward_run *run, xt_forward_info *ret);
void xt_forward_run_set_paused(xt_forward_run *run, bool paused);
const char *xt_forward_run_name(const xt_forward_run *run);
