/*
 * event/render_raw - an event as the records it was made of, in the text form of auditd's audit.log
 *
 * Shape:     one line a record, with node= in front; names that were resolved stand behind 0x1d as auditd's ENRICHED
 *            format has them. An event that is no record (unparsed) is its original line; where records can be read in
 *            that line, which stand by themselves, "unparsed: " goes before it. One that Exectrail made itself has no text.
 * Facts:     reading the text back gives an equal event, and ausearch reads it; of a record that was cut its line alone
 *            tells. a0-a3 of execs are not kept and stand as 0, PROCTITLE of an exec is made of its arguments; what a record said that the system call's record says as well is left out.
 * Source:    linux kernel/auditsc.c: audit_log_exit, audit_log_name, audit_log_execve_info (records end at about 7,500
 *            bytes), audit_log_untrustedstring.
 */
#pragma once
#include "event/event.h"

void xt_render_raw(const xt_event *event, xt_buf *out);
