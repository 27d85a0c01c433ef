/* Class names from a text file, one a line. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "vision/describe_internal.h"

/* Tabs are tolerated in a label, other control characters are not. */
static bool is_label(const char *text) {
  while (*text) {
    int step = *text == '\t' ? 1 : fv_text_step(text);
    if (step == 0) return false;
    text += step;
  }
  return true;
}

char *fv_label_copy(const char *text, size_t length) {
  char *copy = length > FV_MAX_LABEL_BYTES ? NULL : strndup(text, length);
  if (!copy || (strlen(copy) == length && is_label(copy))) return copy;
  free(copy);
  return NULL;
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

int fv_description_parse_labels(FvDescription *description, const char *text, size_t size, const char *path, FvError *err) {
  if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) text += 3, size -= 3;
  int64_t count = count_lines(text, size);
  char **labels = NULL;
  int result = FV_OK;
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
  return result;
}

int fv_description_read_labels(FvDescription *description, const char *path, FvError *err) {
  void *text;
  size_t size;
  int result = fv_file_read(path, FV_MAX_CONFIG_BYTES, &text, &size, err);
  if (result < 0) return result;
  result = fv_description_parse_labels(description, text, size, path, err);
  free(text);
  return result;
}
