/* The envelope of a .fovea file: header, section table, hashes, signature, encryption. What is inside sections is not its business. */
#ifndef FOVEA_CONTAINER_ENVELOPE_H
#define FOVEA_CONTAINER_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>

#include <fovea/container.h>

#include "entropy/coder.h"
#include "container/format.h"

typedef struct FvSection {
  uint32_t type, flags, coder;
  uint64_t offset, stored_bytes, decoded_bytes;
  uint8_t digest[FV_FORMAT_HASH_BYTES];
} FvSection;

typedef struct FvEnvelope {
  uint64_t file_bytes;
  bool is_signed;
  uint8_t signer[FV_FORMAT_HASH_BYTES];
  int section_count;
  FvSection sections[FV_FORMAT_MAX_SECTIONS];
} FvEnvelope;

/* By the magic, or by so much of it that a damaged file is told from one of another kind. */
bool fv_envelope_is(const void *data, size_t size);

/* Everything docs/format.md asks to be checked before a section is read. Errors name the part: "section 'weights' is damaged". */
int fv_envelope_verify(const void *data, size_t size, FvEnvelope *envelope, FvError *err);
/* The same for a file, of which one chunk is in memory at a time. Keeps the bytes of the sections that tell about the file (unencrypted, uncoded
 * and of at most 512 KiB), for fv_notes_read and fv_scores_read. */
typedef struct FvEnvelopeNotes {
  uint8_t *sections[FV_SECTION_TYPES]; /* malloc'ed, or NULL; of provenance, accuracy, calibration and scores */
} FvEnvelopeNotes;
void fv_envelope_notes_finish(FvEnvelopeNotes *notes);
int fv_envelope_verify_file(const char *path, FvEnvelope *envelope, FvEnvelopeNotes *notes, FvError *err);

const FvSection *fv_envelope_find(const FvEnvelope *envelope, FvSectionType type);
const char *fv_section_name(uint32_t type);

/* The plain bytes of a section of a verified file: borrowed from file, or decrypted and decoded into *owned, which free() releases. The section may be absent
 * only when it is optional: *data is then NULL. */
typedef struct FvPlain {
  const uint8_t *data;
  size_t size;
  void *owned;
} FvPlain;
int fv_section_open(const FvEnvelope *envelope, const void *file, FvSectionType type, bool optional, FvPlain *plain, FvError *err);

/* Writing. */
typedef struct FvDraft {
  FvSectionType type;
  unsigned flags; /* FV_SECTION_ENCRYPTED asks for encryption with the key from the environment */
  const void *data;
  size_t size;
  FvCoderLimits coders;
} FvDraft;
/* sign_key NULL: not signed. */
int fv_envelope_write(const char *path, const FvDraft *drafts, int count, const char *sign_key, FvError *err);

/* Key-value notes (provenance, accuracy, calibration). */
int fv_notes_check(const FvNote *notes, int count, const char *what, FvError *err);
void fv_notes_write(FvBytes *bytes, const FvNote *notes, int count);
/* *notes is one malloc'ed block with the strings in it. */
int fv_notes_read(const void *data, size_t size, const char *what, FvNote **notes, int *count, FvError *err);

/* Histograms of scores. */
int fv_scores_check(const FvScoreHistogram *scores, int count, FvError *err);
void fv_scores_write(FvBytes *bytes, const FvScoreHistogram *scores, int count);
/* *scores is one malloc'ed block with the names in it. */
int fv_scores_read(const void *data, size_t size, FvScoreHistogram **scores, int *count, FvError *err);

#endif
