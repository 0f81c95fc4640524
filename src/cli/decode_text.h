/*
 * cli/decode_text - one event as one line for people
 *
 * Format:    TIME HOST LOGIN>USER TTY ses=SES CWD exit=RESULT WHAT. A result below 0 is shown as the error's name; what is
 *            not known is `-`. WHAT of a command is its arguments as a shell needs them typed; of anything else [action],
 *            then program, paths and the fields of its records as NAME=VALUE, values quoted alike. What should be known
 *            of a command besides stands behind it as a comment: # flags, exe= where argv[0] is not the program.
 */
#pragma once
#include "base/buf.h"
#include "event/event.h"

void xt_decode_text(const xt_event *event, xt_buf *out);
