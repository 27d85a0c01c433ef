/* Writing to the log that <fovea/log.h> routes. */
#ifndef FOVEA_BASE_LOG_H
#define FOVEA_BASE_LOG_H

#include <fovea/log.h>

void fv_log(FvLogLevel level, const char *format, ...) FV_PRINTF(2, 3);

#endif
