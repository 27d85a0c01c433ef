/* Class names from a text file, one a line. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "vision/describe_internal.h"

/* Bytes of the UTF-8 character at p, 0 when it is none or a control character. */
static size_t character(const unsigned char *p, size_t left) {
  if (p[0] < 0x80) return p[0] >= 0x20 && p[0] != 0x7f ? 1 : 0;
  size_t length = p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : p[0] >= 0xe0 && p[0] < 0xf0 ? 3 : p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : 0;
  if (!length || length > left) return 0;
  for (size_t i = 1; i < length; i++)
    if ((p[i] & 0xc0) != 0x80) return 0;
  if (p[0] == 0xc2 && p[1] < 0xa0) return 0;                                     /* C1 controls */
  if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0)) return 0; /* overlong, surrogates */
  if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90)) return 0; /* overlong, beyond U+10FFFF */
  return length;
}

char *fv_label_copy(const char *text, size_t length) {
  if (length > FV_MAX_LABEL_BYTES) return NULL;
  for (size_t i = 0; i < length;) {
    size_t step = text[i] == '\t' ? 1 : character((const unsigned char *)text + i, length - i);
    if (!step) return NULL;
    i += step;
  }
  char *copy = malloc(length + 1);
  if (!copy) return NULL;
  memcpy(copy, text, length);
  copy[length] = 0;
  return copy;
}

static size_t trimmed(const char *text, size_t length) {
  while (length && (text[length - 1] == '\r' || text[length - 1] == ' ' || text[length - 1] == '\t')) length--;
  return length;
}

/* Lines up to and including the last that is not blank. */
static int64_t count_lines(const char *text, size_t size) {
  int64_t lines = 0, count = 0;
  for (size_t at = 0; at < size;) {
    const char *end = memchr(text + at, '\n', size - at);
    size_t length = end ? (size_t)(end - text) - at : size - at;
    lines++;
    if (trimmed(text + at, length)) count = lines;
    at += length + 1;
  }
  return count;
}

static int parse(const char *text, size_t size, const char *path, char **labels, int count, FvError *err) {
  for (int i = 0; i < count; i++) {
    const char *end = memchr(text, '\n', size);
    size_t line = end ? (size_t)(end - text) : size, length = trimmed(text, line);
    labels[i] = fv_label_copy(text, length);
    if (!labels[i])
      return fv_error_set(err, FV_ERR_CONFIG, "%s:%d: a class name must be UTF-8 text of at most %d bytes without control characters", path, i + 1,
                          FV_MAX_LABEL_BYTES);
    size_t used = line < size ? line + 1 : size;
    text += used;
    size -= used;
  }
  return FV_OK;
}

int fv_description_read_labels(FvDescription *description, const char *path, FvError *err) {
  void *file;
  size_t size;
  int result = fv_file_read(path, FV_MAX_CONFIG_BYTES, &file, &size, err);
  if (result < 0) return result;
  const char *text = file;
  if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) text += 3, size -= 3;
  int64_t count = count_lines(text, size);
  char **labels = NULL;
  if (count < 1 || count > FV_MAX_LABELS)
    result = fv_error_set(err, count < 1 ? FV_ERR_CONFIG : FV_ERR_LIMIT, "%s: %lld class names, not within 1 to %d", path, (long long)count, FV_MAX_LABELS);
  else if (description->class_count && description->class_count != count)
    result = fv_error_set(err, FV_ERR_CONFIG, "%s: %lld class names, but the model has %d classes", path, (long long)count, description->class_count);
  else if (!(labels = calloc((size_t)count, sizeof *labels)))
    result = fv_error_set(err, FV_ERR_NO_MEMORY, "%s: no memory for %lld class names", path, (long long)count);
  if (result == FV_OK) result = parse(text, size, path, labels, (int)count, err);
  if (result == FV_OK)
    fv_description_set_labels(description, labels, (int)count);
  else
    fv_labels_free(labels, (int)count);
  free(file);
  return result;
}
