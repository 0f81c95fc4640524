/*
 * cli/input - audit text from files, standard input, .gz and .zst files, in pieces
 *
 * Errors:    open: a problem with the file's name and the system's reason; read: -EIO and such, a corrupt .gz or .zst is
 *            -EBADMSG with a problem.
 */
#pragma once
#include "base/problem.h"

typedef struct xt_input xt_input;
/* path "-": standard input. What it is, is told by its first bytes. */
XT_MUST_USE int xt_input_open(const char *path, xt_input **ret, xt_problem *reterr_problem);
xt_input *xt_input_close(xt_input *input); /* accepts NULL, returns NULL */
/* The next piece, empty at the end; borrowed until the next call. */
XT_MUST_USE int xt_input_next(xt_input *input, xt_slice *ret, xt_problem *reterr_problem);
/* After the end: reads on, for a file that grows. */
void xt_input_again(xt_input *input);
/* Whether another file has the name by now, or this one became shorter than what was read of it (rotation). */
bool xt_input_is_replaced(const xt_input *input);
const char *xt_input_name(const xt_input *input);
/* Bytes read from the file so far, and its size (0 where it has none). */
uint64_t xt_input_position(const xt_input *input);
uint64_t xt_input_size(const xt_input *input);
