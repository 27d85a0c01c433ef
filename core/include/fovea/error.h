/* Errors are values: a code to branch on and one sentence to show.
 *
 * Every function of libfovea that can fail returns 0 (or a count >= 0) on success and a negative FvErrorCode on
 * failure. Each takes a trailing FvError *, which may be NULL when the caller needs the code only. The sentence names
 * the place (file, node, key) and, where there is one, the remedy. It never contains secrets. */
#ifndef FOVEA_ERROR_H
#define FOVEA_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define FV_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define FV_API __attribute__((visibility("default")))
#else
#define FV_PRINTF(fmt, args)
#define FV_API
#endif

typedef enum FvErrorCode {
  FV_OK = 0,
  FV_ERR_INVALID = -1,     /* the caller's argument is out of its documented range */
  FV_ERR_IO = -2,          /* a file could not be opened, read or written */
  FV_ERR_FORMAT = -3,      /* a file is damaged or not what its name says */
  FV_ERR_UNSUPPORTED = -4, /* well-formed, but this build or device cannot do it */
  FV_ERR_LIMIT = -5,       /* a bound of <fovea/limits.h> is exceeded */
  FV_ERR_NO_MEMORY = -6,
  FV_ERR_DEVICE = -7, /* no such device, or the device failed */
  FV_ERR_CONFIG = -8, /* a configuration file or description is wrong or incomplete */
  FV_ERR_CANCELLED = -9, /* the caller's progress function asked for it */
} FvErrorCode;

#define FV_ERROR_MESSAGE_SIZE 512

typedef struct FvError {
  FvErrorCode code;
  char message[FV_ERROR_MESSAGE_SIZE]; /* one sentence in English, NUL-terminated, no trailing newline */
} FvError;

/* Writes code and sentence into *err (when err is not NULL) and returns code, so that a failure is one line:
 * return fv_error_set(err, FV_ERR_FORMAT, "%s: no graph inside", path); */
FV_API int fv_error_set(FvError *err, FvErrorCode code, const char *format, ...) FV_PRINTF(3, 4);

/* Puts "prefix: " before the sentence already in *err; returns err's code (FV_ERR_INVALID when err is NULL). */
FV_API int fv_error_prefix(FvError *err, const char *format, ...) FV_PRINTF(2, 3);

/* A word for the code ("unsupported"), static storage. */
FV_API const char *fv_error_code_name(FvErrorCode code);

#ifdef __cplusplus
}
#endif
#endif
