#include <stdlib.h>

#include "base/text.h"
#include "container/byte_io.h"
#include "container/envelope.h"

enum { MAX_KEY_BYTES = 63 };

int fv_notes_check(const FvNote *notes, int count, const char *what, FvError *err) {
  if (count < 0 || count > FV_MAX_NOTES) return fv_error_set(err, FV_ERR_LIMIT, "%s: %d notes, more than the %d allowed", what, count, FV_MAX_NOTES);
  for (int i = 0; i < count; i++) {
    size_t key = strlen(notes[i].key), value = strlen(notes[i].value);
    if (key < 1 || key > MAX_KEY_BYTES || value > FV_MAX_NOTE_BYTES || !fv_text_is_clean(notes[i].key) || !fv_text_is_clean(notes[i].value))
      return fv_error_set(err, FV_ERR_LIMIT, "%s: note %d is too long, or has control characters, or is not UTF-8", what, i);
  }
  return 0;
}

void fv_notes_write(FvBytes *bytes, const FvNote *notes, int count) {
  fv_put_number(bytes, (uint64_t)count);
  for (int i = 0; i < count; i++) {
    const char *const texts[] = {notes[i].key, notes[i].value};
    for (int k = 0; k < 2; k++) {
      fv_put_number(bytes, strlen(texts[k]));
      fv_bytes_append(bytes, texts[k], strlen(texts[k]));
    }
  }
}

static const char *copy_text(FvByteReader *reader, uint64_t limit, char **room) {
  uint64_t size = fv_read_number(reader);
  const uint8_t *text = size <= limit ? fv_read_bytes(reader, size) : NULL;
  if (!text || memchr(text, 0, (size_t)size)) {
    reader->failed = true;
    return "";
  }
  char *copy = *room;
  memcpy(copy, text, (size_t)size);
  copy[size] = '\0';
  *room += size + 1;
  return copy;
}

int fv_notes_read(const void *data, size_t size, const char *what, FvNote **ret_notes, int *ret_count, FvError *err) {
  FvByteReader reader = {.at = data, .end = (const uint8_t *)data + size};
  int count = (int)fv_read_count(&reader, FV_MAX_NOTES);
  /* Each text needs one byte more than in the file at most: its length took one. */
  FvNote *notes = malloc(((size_t)count + 1) * sizeof *notes + size + 2 * FV_MAX_NOTES);
  if (!notes) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  char *room = (char *)(notes + count + 1);
  for (int i = 0; i < count && !reader.failed; i++) {
    notes[i].key = copy_text(&reader, MAX_KEY_BYTES, &room);
    notes[i].value = copy_text(&reader, FV_MAX_NOTE_BYTES, &room);
  }
  int result = reader.failed || reader.at != reader.end ? fv_error_set(err, FV_ERR_FORMAT, "section '%s' is malformed", what)
                                                        : fv_notes_check(notes, count, what, err);
  if (result < 0) {
    free(notes);
    return result;
  }
  *ret_notes = notes;
  *ret_count = count;
  return 0;
}
