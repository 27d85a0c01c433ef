/* Where the library's messages go. Nothing is logged per frame. */
#ifndef FOVEA_LOG_H
#define FOVEA_LOG_H

#include <fovea/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum FvLogLevel { FV_LOG_NONE = 0, FV_LOG_ERROR, FV_LOG_WARNING, FV_LOG_INFO, FV_LOG_DEBUG } FvLogLevel;
typedef void (*FvLogFn)(FvLogLevel level, const char *message, void *user);

/* Sets the receiver (NULL: stderr) and the most detailed level that reaches it. The environment variable FOVEA_LOG
 * (none, error, warning, info, debug) sets the level at start; default warning. Thread-safe; the receiver may be called from any thread. */
FV_API void fv_log_set(FvLogFn fn, void *user, FvLogLevel level);

#ifdef __cplusplus
}
#endif
#endif
