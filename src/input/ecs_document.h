/*
 * input/ecs_document - a document that was made for Elasticsearch becomes a line of audit text, or an event
 *
 * Shape:     Filebeat and Logstash send the line as it stood in the log (`message`, or `event.original`): it is a line, for a decoder. Auditbeat
 *            sends what it made of the records (`auditd.*`, `process.*`, ECS): each path that the table below names becomes that
 *            field, what else stands in auditd.data a field of a record, tags are keys. What has no place is counted.
 * Errors:    XT_ECS_E_INVALID with a problem: no JSON, or no object. XT_ECS_E_OTHER with a problem: neither of the two. <0 memory.
 * Ownership: in the arena.
 * Limits:    XT_ECS_MAX_BYTES a document; objects in objects are followed XT_ECS_MAX_DEPTH deep.
 * Source:    ECS 8; the fields of Auditbeat's auditd module.
 */
#pragma once
#include "event/event.h"

#define XT_ECS_MAX_BYTES ((size_t)1 << 20)
#define XT_ECS_MAX_DEPTH 8

enum {
    XT_ECS_E_INVALID = 1,
    XT_ECS_E_OTHER = 2,
};

typedef struct xt_ecs_document {
    bool is_line;
    xt_slice host, line; /* of a line; host may be empty */
    xt_event event;      /* else; without host.id */
    uint64_t n_unmapped; /* values that have no place in an event */
} xt_ecs_document;

XT_MUST_USE int xt_ecs_document_read(xt_slice json, xt_arena *arena, xt_ecs_document *ret, xt_problem *reterr_problem);
