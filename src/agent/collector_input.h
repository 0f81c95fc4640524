/*
 * agent/collector_input - records that do not come from the kernel's socket: standard input, auditd's socket, a file
 *
 * Shape:     bytes and lines go to the decoder; an input that breaks or leaves something out is an event (input-lost,
 *            input-returned, input-gap).
 * Threads:   the collector's main one.
 */
#pragma once
#include "agent/audisp_socket.h"
#include "agent/file_follow.h"
#include "agent/mark_file.h"
#include "event/event.h"

typedef struct xt_collector xt_collector;

typedef struct xt_collector_input {
    xt_audisp_stream standard; /* standard input */
    xt_audisp_socket socket;
    int64_t lost_ms; /* wall time: since when auditd's socket is not connected; 0: it is */
    bool is_told;    /* that it is lost */
    xt_follow follow;
    xt_follow_marks *marks; /* NULL: no file is followed */
    xt_follow_mark *mark;
    bool has_passed; /* mark->keys are events that were out before the agent began */
    int64_t end_ms;  /* monotonic: when the file was first read to its end; 0: not yet */
    bool is_behind;  /* more stands in the file */
    xt_mark_file output_mark;
} xt_collector_input;

XT_MUST_USE int xt_collector_input_open(xt_collector *c, xt_problem *reterr_problem);
void xt_collector_input_close(xt_collector *c);
int xt_collector_input_fd(const xt_collector *c); /* -1: there is none */
/* The descriptor is readable. */
XT_MUST_USE int xt_collector_input_take(xt_collector *c);
/* What there is to do besides: connecting again, the file. */
XT_MUST_USE int xt_collector_input_turn(xt_collector *c, int64_t now_ms);
int64_t xt_collector_input_wait_ms(const xt_collector *c); /* -1: whenever */
/* An event is about to be given out. False: it was out before this agent began. */
bool xt_collector_input_is_new(xt_collector *c, const xt_event *event);
/* Around handing events on: so that they and the place in the file are one. */
XT_MUST_USE int xt_collector_input_hand_on(xt_collector *c, bool is_before);
