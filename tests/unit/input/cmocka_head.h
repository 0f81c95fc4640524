/* What every test of this floor includes first. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* order matters */
#include <cmocka.h>
