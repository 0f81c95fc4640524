/*
 * event/json_records - PATHS and RECORDS as JSON (inside of event/ only)
 *
 * Shape:     paths: a list of objects, numbers that ECS has as strings as strings. records: a list of objects with
 *            "type" and every field of that record, those that the event holds elsewhere put back to where they stood.
 */
#pragma once
#include "event/event.h"
#include "event/json_group.h"
#include "event/json_plan.h"
#include "event/json_writer.h"

void xt_json_put_paths(xt_json_writer *w, xt_slice paths);
void xt_json_put_records(xt_json_writer *w, const xt_event *event);

/* event_json.c: "name":value for each name of the group (values as a list where there are several). */
void xt_json_put_group(xt_json_writer *w, const xt_json_group *group, bool (*leaves_out)(void *context, xt_slice name),
                       void *context, bool needs_comma);
