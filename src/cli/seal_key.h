/*
 * cli/seal_key - the public key that an option gives: itself, or a file that holds it
 *
 * Errors:    <0 with a problem.
 */
#pragma once
#include "event/secret_seal.h"

XT_MUST_USE int xt_seal_key_read(const char *text, xt_secret_seal_key *ret, xt_problem *reterr_problem);
