/*
 * audit/value - what the value of a field says
 *
 * Source:    linux kernel/audit.c audit_log_untrustedstring: a string is written in hex exactly when it holds `"`,
 *            a byte < 0x21 or > 0x7e, else in double quotes. So a quoted value is literal, whatever it looks like,
 *            and a bare one of a string field is hex (or (null), or ?).
 */
#pragma once
#include "audit/record.h"
#include "base/arena.h"

#define XT_ID_UNSET UINT32_MAX /* auid, ses, uid: 4294967295 or -1 */

/*
 * Fields that the kernel and libaudit write as untrusted strings (comm exe cwd name key proctitle data cmd acct ...,
 * a0 a1 a1[0] ... of EXECVE): a bare even run of hex digits in them is encoded.
 */
bool xt_value_is_string_field(uint16_t record_type, xt_slice name);

/*
 * The text of a string field: quoted as it is (borrowed), hex decoded into the arena, (null) as p == NULL n == 0 with
 * *ret_null = true. Bare text that is not an even run of hex digits in capitals (as kernel and libaudit write them; a
 * program that forgot the quotes means acct=dead as it stands) is returned as it is. -ENOMEM when the arena is full.
 */
XT_MUST_USE int xt_value_text(xt_arena *arena, const xt_audit_field *field, xt_slice *ret, bool *ret_null);
/*
 * Decodes pairs of hex digits to out (room for digits.n / 2); false when it is not an even run of hex digits, in
 * either case. Fast.
 */
XT_MUST_USE bool xt_value_unhex(xt_slice digits, char *out);
XT_MUST_USE bool xt_value_u64(xt_slice text, uint64_t *ret);
XT_MUST_USE bool xt_value_i64(xt_slice text, int64_t *ret);
/* A decimal id; "unset", "-1" and 4294967295 give XT_ID_UNSET. */
XT_MUST_USE bool xt_value_id(xt_slice text, uint32_t *ret);
