/*
 * cli/shell_quote - arguments as a shell would need them typed
 *
 * Format:    bare where no character means anything to a shell, 'single quotes' otherwise, $'\n\xHH' where bytes are
 *            no printable text. Pasting the line gives the same argv again in bash, zsh and ksh; in dash and other plain
 *            shells as long as nothing needs $'...', which they do not know.
 */
#pragma once
#include "base/buf.h"

void xt_shell_quote(xt_buf *out, xt_slice argument);
/* A command: all items of an encoded list (event/event.h), one space between; the first is no assignment, no keyword. */
void xt_shell_quote_list(xt_buf *out, xt_slice list);
