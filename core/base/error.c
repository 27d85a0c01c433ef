#include <fovea/error.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <fovea/version.h>

int fv_error_set(FvError *err, FvErrorCode code, const char *format, ...) {
  if (err) {
    va_list args;
    va_start(args, format);
    err->code = code;
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
  }
  return code;
}

int fv_error_prefix(FvError *err, const char *format, ...) {
  if (!err) return FV_ERR_INVALID;
  char prefix[FV_ERROR_MESSAGE_SIZE], rest[FV_ERROR_MESSAGE_SIZE];
  va_list args;
  va_start(args, format);
  vsnprintf(prefix, sizeof prefix, format, args);
  va_end(args);
  memcpy(rest, err->message, sizeof rest);
  size_t length = strlen(prefix);
  if (length > sizeof err->message - 3) length = sizeof err->message - 3;
  memcpy(err->message, prefix, length);
  memcpy(err->message + length, ": ", 2);
  size_t room = sizeof err->message - length - 3, wanted = strlen(rest);
  if (wanted > room) wanted = room;
  memcpy(err->message + length + 2, rest, wanted);
  err->message[length + 2 + wanted] = 0;
  return err->code;
}

const char *fv_error_code_name(FvErrorCode code) {
  switch (code) {
    case FV_OK: return "ok";
    case FV_ERR_INVALID: return "invalid argument";
    case FV_ERR_IO: return "input/output";
    case FV_ERR_FORMAT: return "format";
    case FV_ERR_UNSUPPORTED: return "unsupported";
    case FV_ERR_LIMIT: return "limit";
    case FV_ERR_NO_MEMORY: return "out of memory";
    case FV_ERR_DEVICE: return "device";
    case FV_ERR_CONFIG: return "configuration";
    case FV_ERR_CANCELLED: return "cancelled";
  }
  return "unknown";
}

const char *fv_version(void) { return FV_VERSION; }
