/*
 * Messages of the process connector, cut and strange: a byte of length and that many bytes each. None is taken that does
 * not reach to its kind's end, and a witness that is fed with all of them stays whole.
 */
#include <stdint.h>
#include <stdlib.h>

#include "agent/witness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static bool ask_process(void *context, uint32_t pid, xt_proc_info *ret)
{
    *ret = (xt_proc_info){.pid = pid, .ppid = pid / 2, .exe = XT_S("/bin/x")};
    return pid % 3 == 0;
}

static xt_slice ask_cgroup(void *context, uint32_t pid)
{
    return pid % 2 ? XT_S("0::/a.service\n") : XT_S_NULL;
}

static unsigned ask_threads(void *context, uint32_t pid)
{
    return pid % 4;
}

static bool ask_kernel(void *context, uint32_t pid)
{
    return pid % 5 == 0;
}

static int on_unaudited(void *context, const xt_task *task, xt_program *program, xt_unaudited reason)
{
    require(task->pid == program->pid && xt_unaudited_name(reason));
    return 0;
}

static int on_exited(void *context, const xt_task *task)
{
    require(task->is_ended && task->program);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const xt_witness_settings settings = {
        .max_tasks = 50,
        .bound_ms = 100,
        .calls = {ask_process, ask_cgroup, ask_threads, ask_kernel, NULL, on_unaudited, on_exited, NULL},
    };
    xt_slice rest = xt_slice_of(data, n);
    xt_witness *witness;
    xt_number_gap gap;
    uint64_t n_given = 0;
    require(xt_witness_new(&settings, &witness) == 0);
    for (int64_t now_ms = 0; rest.n > 0; now_ms += 30) {
        size_t length = (uint8_t)rest.p[0];
        xt_slice payload = xt_slice_head(xt_slice_skip(rest, 1), length);
        xt_proc_message m;
        int r = xt_proc_message_parse(payload, &m);
        require(r == 0 || r == XT_PROC_MESSAGE_E_FOREIGN);
        require(r != 0 || payload.n >= 36);
        require(xt_witness_take(witness, payload, now_ms) == 0 && xt_witness_turn(witness, now_ms) == 0);
        while (xt_witness_gap(witness, now_ms, &gap))
            continue;
        rest = xt_slice_skip(rest, 1 + payload.n);
        n_given++;
    }
    require(xt_witness_stats_get(witness).n_messages == n_given);
    require(xt_witness_task_stats(witness).n_tasks <= 50);
    require(xt_witness_finish(witness) == 0);
    xt_witness_free(witness);
    return 0;
}
