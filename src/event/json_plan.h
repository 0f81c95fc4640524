/*
 * event/json_plan - how the fields nest in a document, worked out once from the table (inside of event/ only)
 *
 * Shape:     steps in the order in which they are written; each names the objects around it, outermost first, so that
 *            a writer closes and opens only what differs from the step before.
 * Threads:   made once, then constant.
 */
#pragma once
#include "event/schema.h"

#define XT_JSON_PLAN_DEPTH 4
#define XT_JSON_PLAN_MAX   128

/* Steps that are no row of the table. */
enum {
    XT_JSON_STEP_DATA = XT_F_END, /* auditd.data: what only RECORDS holds */
    XT_JSON_STEP_TAGS,            /* tags: KEY once more */
    XT_JSON_STEP_RAW,             /* auditd.raw: numbers of what has names */
    XT_JSON_STEP_INTERPRETED,     /* auditd.interpreted: what auditd.data means */
};

typedef struct xt_json_step {
    unsigned field; /* xt_field or XT_JSON_STEP_... */
    bool is_data;   /* auditd.data.NAME */
    unsigned n_open;
    uint8_t open[XT_JSON_PLAN_DEPTH]; /* numbers of the objects around it */
    xt_slice name;                    /* "name" without quotes */
    xt_slice key;                     /* "name": with quotes and colon; empty for XT_JSON_STEP_DATA */
} xt_json_step;

typedef struct xt_json_plan {
    size_t n_steps;
    xt_json_step steps[XT_JSON_PLAN_MAX];
    xt_slice open_key[XT_JSON_PLAN_MAX]; /* "name":{ of each object */
    size_t max_key_bytes;                /* of a step, with all that opens before it and a brace for each that closes */
    char text[8192];
} xt_json_plan;

const xt_json_plan *xt_json_plan_get(void);
