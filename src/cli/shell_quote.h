/*
 * cli/shell_quote - arguments as a shell would need them typed
 *
 * Format:    bare where no character means anything to a shell, 'single quotes' otherwise, $'\xHH' where bytes are
 *            no printable text. Pasting the line gives the same argv again (bash, zsh, ksh).
 */
#pragma once
#include "base/buf.h"

void xt_shell_quote(xt_buf *out, xt_slice argument);
/* All items of an encoded list (event/event.h), one space between. */
void xt_shell_quote_list(xt_buf *out, xt_slice list);
