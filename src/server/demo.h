/*
 * server/demo - a bundled capture, replayed at its own pace
 *
 * Shape:     a thread that reads audit text and imports it as host "demo", each record at the pace of its own time stamp, shifted to
 *            now; begins again after the end. A pause of more than some seconds is shortened.
 * Errors:    the file is read at open; a failure later is logged and ends the replay.
 * Limits:    a capture of 256 MiB.
 */
#pragma once
#include "server/app.h"

typedef struct xt_demo xt_demo;

XT_MUST_USE int xt_demo_open(xt_app *app, const char *path, xt_demo **ret, xt_problem *reterr_problem);
xt_demo *xt_demo_close(xt_demo *demo);
/* Where "SEC.MMM" of a record's stamp stands in its line, and what it says; false when the line has none. */
bool xt_demo_stamp(xt_slice line, size_t *ret_at, size_t *ret_n, int64_t *ret_ms);
