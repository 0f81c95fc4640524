/*
 * event/json_records - PATHS and RECORDS as JSON (inside of event/ only)
 *
 * Shape:     paths: a list of objects, numbers that ECS has as strings as strings. records: a list of objects with
 *            "type" and every field of that record (event/record_view.h). A field that has the name of one of our own
 *            members (type, untrusted, raw, interpreted) has one more `_` behind its name.
 */
#pragma once
#include "event/event.h"
#include "event/interpretation.h"
#include "event/json_group.h"
#include "event/json_plan.h"
#include "event/json_writer.h"

void xt_json_put_paths(xt_json_writer *w, const xt_event *event);
/* The names of paths that have one, as a list. */
void xt_json_put_path_names(xt_json_writer *w, xt_slice paths);
void xt_json_put_records(xt_json_writer *w, const xt_event *event);

/* json_interpreted.c: an object of the names that mean something, and one of the numbers behind names. */
void xt_json_put_meanings(xt_json_writer *w, const xt_meanings *meanings);
bool xt_json_has_raw(const xt_event *event);
void xt_json_put_raw(xt_json_writer *w, const xt_event *event);
/* ,"interpreted":{...} of a path, where there is anything. */
void xt_json_put_path_meanings(xt_json_writer *w, xt_interpretation *of, const xt_path *path);

/* event_json.c: the values of one name, a string or a list of strings; */
void xt_json_put_values(xt_json_writer *w, const xt_json_group *group, uint32_t first);
/* and "name":value for each name of the group that is not hidden (values as a list where there are several). */
void xt_json_put_group(xt_json_writer *w, const xt_json_group *group, bool needs_comma);
