/* moert.h is C. */
#include "runtime/core/moert.h"

moert_status moert_header_is_c(moert_model **model) { return moert_open("x", NULL, model); }
