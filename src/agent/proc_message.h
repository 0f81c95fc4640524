/*
 * agent/proc_message - what the kernel's process connector says: one process forked, executed, changed or ended
 *
 * Shape:     one message is one datagram's payload behind its netlink header: cn_msg, then proc_event.
 * Units:     time_ns: nanoseconds of CLOCK_MONOTONIC. Pids are those of the first pid namespace.
 * Errors:    XT_PROC_MESSAGE_E_FOREIGN: these bytes are no such message.
 * Format:    struct cn_msg and struct proc_event; kernels differ in how much of the union they send, so each kind needs
 *            its own part only.
 * Source:    linux/connector.h, linux/cn_proc.h, drivers/connector/cn_proc.c.
 */
#pragma once
#include "base/slice.h"

enum {
    XT_PROC_MESSAGE_E_FOREIGN = 1,
};

typedef enum xt_proc_kind {
    XT_PROC_ACK, /* answer to a subscription: code is 0 or the errno of the refusal */
    XT_PROC_FORK,
    XT_PROC_EXEC,
    XT_PROC_UID,
    XT_PROC_SID,
    XT_PROC_COMM,
    XT_PROC_EXIT,
    XT_PROC_OTHER, /* of no interest; its number counts */
} xt_proc_kind;

typedef struct xt_proc_message {
    xt_proc_kind kind;
    uint32_t cpu, number; /* numbers go up by one on each cpu, and wrap */
    uint64_t time_ns;
    uint32_t pid, thread; /* thread == pid: the process's first thread; of FORK the new one */
    uint32_t parent;      /* FORK */
    uint32_t uid, euid;   /* UID */
    int32_t code;         /* EXIT: as wait(2) has it; ACK */
    char comm[16];        /* COMM */
} xt_proc_message;

XT_MUST_USE int xt_proc_message_parse(xt_slice payload, xt_proc_message *ret);
