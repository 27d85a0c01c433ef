#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/envelope.h"
#include "container/hash.h"

enum { MAX_NOTES_BYTES = 512 << 10 };

/* The bytes of a file, in memory or on disk. */
typedef struct Source {
  const uint8_t *memory; /* NULL: read from fd */
  int fd;
  uint64_t size;
  uint8_t *scratch;      /* one chunk, for fd */
  FvError *err;
} Source;

static const char *const section_names[FV_SECTION_TYPES] = {
  [FV_SECTION_GRAPH] = "graph", [FV_SECTION_WEIGHTS] = "weights", [FV_SECTION_DESCRIPTION] = "description",
  [FV_SECTION_PROVENANCE] = "provenance", [FV_SECTION_ACCURACY] = "accuracy", [FV_SECTION_CALIBRATION] = "calibration", [FV_SECTION_SCORES] = "scores",
};

const char *fv_section_name(uint32_t type) { return type < FV_SECTION_TYPES && section_names[type] ? section_names[type] : "unknown"; }

bool fv_envelope_is(const void *data, size_t size) {
  return size >= 8 && (memcmp(data, FV_FORMAT_MAGIC, 8) == 0 || memcmp((const char *)data + 1, "FOVEA", 5) == 0);
}

const FvSection *fv_envelope_find(const FvEnvelope *envelope, FvSectionType type) {
  for (int i = 0; i < envelope->section_count; i++)
    if (envelope->sections[i].type == type) return &envelope->sections[i];
  return NULL;
}

static bool read_at(int fd, uint8_t *data, size_t size, uint64_t offset) {
  for (size_t done = 0; done < size;) {
    ssize_t n = pread(fd, data + done, size - done, (off_t)(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += (size_t)n;
  }
  return true;
}

/* size <= FV_FORMAT_CHUNK_BYTES, within the source. Valid until the next call. NULL after an error. */
static const uint8_t *fetch(const Source *source, uint64_t offset, size_t size) {
  if (source->memory) return source->memory + offset;
  if (read_at(source->fd, source->scratch, size, offset)) return source->scratch;
  fv_error_set(source->err, FV_ERR_IO, "the file cannot be read, or became shorter while it was");
  return NULL;
}

static bool is_zero(const uint8_t *data, size_t size) { return size == 0 || sodium_is_zero(data, size); }

static int damaged(const Source *source, const char *what) {
  return fv_error_set(source->err, FV_ERR_FORMAT, "%s is damaged: get the file again from where it was made", what);
}

static int check_signature(const Source *source, const uint8_t *header, FvEnvelope *envelope) {
  uint32_t kind = fv_get_u32(header + FV_HEADER_SIGNATURE_KIND);
  if (!is_zero(header + FV_HEADER_RESERVED, FV_FORMAT_HEADER_BYTES - FV_HEADER_RESERVED)) return damaged(source, "the header");
  if (kind == 0)
    return is_zero(header + FV_HEADER_KEY, FV_HEADER_RESERVED - FV_HEADER_KEY) ? 0 : damaged(source, "the header (its signature)");
  if (kind != 1) return fv_error_set(source->err, FV_ERR_UNSUPPORTED, "the header names a kind of signature, %u, that this version does not know", kind);
  envelope->is_signed = true;
  memcpy(envelope->signer, header + FV_HEADER_KEY, sizeof envelope->signer);
  if (crypto_sign_verify_detached(header + FV_HEADER_SIGNATURE, header, FV_HEADER_SIGNATURE, envelope->signer) != 0)
    return fv_error_set(source->err, FV_ERR_FORMAT, "the signature in the header does not fit: the file was changed after it was signed");
  return 0;
}

static int check_header(const Source *source, const uint8_t *header, FvEnvelope *envelope) {
  uint8_t root[FV_FORMAT_HASH_BYTES];
  if (memcmp(header, FV_FORMAT_MAGIC, 8) != 0) return damaged(source, "the header (its first 8 bytes)");
  uint32_t version = fv_get_u32(header + FV_HEADER_VERSION), flags = fv_get_u32(header + FV_HEADER_FLAGS);
  if (version != FV_FORMAT_VERSION)
    return fv_error_set(source->err, FV_ERR_UNSUPPORTED, "the header says version %u; this program reads version %d", version, FV_FORMAT_VERSION);
  fv_hash("fovea.root", header, FV_HEADER_ROOT, root);
  if (memcmp(root, header + FV_HEADER_ROOT, sizeof root) != 0) return damaged(source, "the header");
  int result = check_signature(source, header, envelope);
  if (result < 0) return result;
  if (flags) return fv_error_set(source->err, FV_ERR_UNSUPPORTED, "the header asks for features (%#x) that this version does not have", flags);
  envelope->file_bytes = fv_get_u64(header + FV_HEADER_SIZE);
  uint32_t count = fv_get_u32(header + FV_HEADER_COUNT);
  if (count < 1 || count > FV_FORMAT_MAX_SECTIONS)
    return fv_error_set(source->err, FV_ERR_LIMIT, "the header says %u sections, not 1 to %d", count, FV_FORMAT_MAX_SECTIONS);
  envelope->section_count = (int)count;
  return 0;
}

static int read_entry(const Source *source, const uint8_t *at, uint64_t offset, FvSection *section) {
  *section = (FvSection){.type = fv_get_u32(at), .flags = fv_get_u32(at + 4), .coder = fv_get_u32(at + 8), .offset = fv_get_u64(at + 16),
                         .stored_bytes = fv_get_u64(at + 24), .decoded_bytes = fv_get_u64(at + 32)};
  memcpy(section->digest, at + 48, sizeof section->digest);
  const char *name = fv_section_name(section->type);
  bool known = section->type < FV_SECTION_TYPES && section_names[section->type];
  if (section->flags & ~(uint32_t)(FV_SECTION_ENCRYPTED | FV_SECTION_MUST_UNDERSTAND) || (!known && section->flags & FV_SECTION_MUST_UNDERSTAND))
    return fv_error_set(source->err, FV_ERR_UNSUPPORTED, "section '%s' (type %u, flags %#x) needs a newer version of this program", name, section->type,
                        section->flags);
  if (known && (section->coder >= FV_CODER_COUNT || !fv_coder_name((int)section->coder)))
    return fv_error_set(source->err, FV_ERR_UNSUPPORTED, "section '%s' is coded in a way (%u) that this version does not know", name, section->coder);
  if (section->offset != offset || fv_get_u32(at + 12) || fv_get_u64(at + 40) || !is_zero(at + 80, FV_FORMAT_ENTRY_BYTES - 80))
    return fv_error_set(source->err, FV_ERR_FORMAT, "the section table is wrong about section '%s'", name);
  if (section->stored_bytes > FV_FORMAT_MAX_SECTION_BYTES || section->decoded_bytes > FV_FORMAT_MAX_SECTION_BYTES)
    return fv_error_set(source->err, FV_ERR_LIMIT, "section '%s' has more than %llu bytes", name, (unsigned long long)FV_FORMAT_MAX_SECTION_BYTES);
  if (section->decoded_bytes > fv_format_decoded_limit(section->stored_bytes))
    return fv_error_set(source->err, FV_ERR_LIMIT, "section '%s' would become %llu bytes, which is too much for its size", name, (unsigned long long)section->decoded_bytes);
  uint64_t seal = section->flags & FV_SECTION_ENCRYPTED ? FV_FORMAT_SEAL_BYTES : 0;
  if (section->coder == FV_CODER_NONE ? section->stored_bytes != section->decoded_bytes + seal : section->stored_bytes < seal)
    return fv_error_set(source->err, FV_ERR_FORMAT, "the section table is wrong about the size of section '%s'", name);
  return 0;
}

static int check_table(const Source *source, const uint8_t *wanted, FvEnvelope *envelope) {
  size_t bytes = (size_t)envelope->section_count * FV_FORMAT_ENTRY_BYTES;
  uint64_t offset = fv_format_align(FV_FORMAT_HEADER_BYTES + bytes);
  uint8_t digest[FV_FORMAT_HASH_BYTES];
  if (source->size < offset) return fv_error_set(source->err, FV_ERR_FORMAT, "truncated within the section table");
  const uint8_t *table = fetch(source, FV_FORMAT_HEADER_BYTES, (size_t)offset - FV_FORMAT_HEADER_BYTES);
  if (!table) return FV_ERR_IO;
  fv_hash("fovea.table", table, bytes, digest);
  if (memcmp(digest, wanted, sizeof digest) != 0 || !is_zero(table + bytes, (size_t)offset - FV_FORMAT_HEADER_BYTES - bytes))
    return damaged(source, "the section table");
  for (int i = 0; i < envelope->section_count; i++) {
    FvSection *section = &envelope->sections[i];
    int result = read_entry(source, table + (size_t)i * FV_FORMAT_ENTRY_BYTES, offset, section);
    if (result < 0) return result;
    for (int k = 0; k < i; k++)
      if (envelope->sections[k].type == section->type)
        return fv_error_set(source->err, FV_ERR_FORMAT, "the section table lists section '%s' twice", fv_section_name(section->type));
    offset = fv_format_align(offset + section->stored_bytes);
    if (source->size < offset)
      return fv_error_set(source->err, FV_ERR_FORMAT, "truncated within section '%s': %llu of %llu bytes are there", fv_section_name(section->type),
                          (unsigned long long)source->size, (unsigned long long)envelope->file_bytes);
  }
  if (offset != envelope->file_bytes) return fv_error_set(source->err, FV_ERR_FORMAT, "the header and the section table disagree about the size of the file");
  if (source->size != offset)
    return fv_error_set(source->err, FV_ERR_FORMAT, "%llu bytes stand behind the last section", (unsigned long long)(source->size - offset));
  return 0;
}

/* With one chunk of memory, for files. */
static int hash_file_section(const Source *source, const FvSection *section, uint8_t digest[FV_FORMAT_HASH_BYTES]) {
  FvSectionHash hash;
  fv_section_hash_init(&hash);
  for (uint64_t at = 0; at < section->stored_bytes; at += FV_FORMAT_CHUNK_BYTES) {
    uint64_t left = section->stored_bytes - at;
    size_t size = left < FV_FORMAT_CHUNK_BYTES ? (size_t)left : FV_FORMAT_CHUNK_BYTES;
    const uint8_t *chunk = fetch(source, section->offset + at, size);
    if (!chunk) return FV_ERR_IO;
    fv_section_hash_chunk(&hash, chunk, size);
  }
  fv_section_hash_end(&hash, digest);
  return 0;
}

static int check_section(const Source *source, const FvSection *section) {
  uint8_t digest[FV_FORMAT_HASH_BYTES];
  char what[64];
  if (source->memory)
    fv_section_hash(source->memory + section->offset, (size_t)section->stored_bytes, digest);
  else if (hash_file_section(source, section, digest) < 0)
    return FV_ERR_IO;
  uint64_t end = section->offset + section->stored_bytes;
  size_t behind = (size_t)(fv_format_align(end) - end);
  const uint8_t *zeros = fetch(source, end, behind);
  if (!zeros) return FV_ERR_IO;
  if (memcmp(digest, section->digest, sizeof digest) == 0 && is_zero(zeros, behind)) return 0;
  snprintf(what, sizeof what, "section '%s'", fv_section_name(section->type));
  return damaged(source, what);
}

static int verify(const Source *source, FvEnvelope *envelope) {
  uint8_t table_hash[FV_FORMAT_HASH_BYTES];
  *envelope = (FvEnvelope){0};
  int result = fv_sodium_ready(source->err);
  if (result < 0) return result;
  if (source->size < FV_FORMAT_HEADER_BYTES) return fv_error_set(source->err, FV_ERR_FORMAT, "truncated within the header");
  const uint8_t *header = fetch(source, 0, FV_FORMAT_HEADER_BYTES);
  if (!header) return FV_ERR_IO;
  memcpy(table_hash, header + FV_HEADER_TABLE_HASH, sizeof table_hash);
  result = check_header(source, header, envelope);
  if (result == 0) result = check_table(source, table_hash, envelope);
  for (int i = 0; result == 0 && i < envelope->section_count; i++) result = check_section(source, &envelope->sections[i]);
  return result;
}

int fv_envelope_verify(const void *data, size_t size, FvEnvelope *envelope, FvError *err) {
  return verify(&(Source){.memory = data, .fd = -1, .size = size, .err = err}, envelope);
}

static int keep(const Source *source, const FvEnvelope *envelope, FvSectionType type, uint8_t **kept) {
  const FvSection *section = fv_envelope_find(envelope, type);
  uint8_t digest[FV_FORMAT_HASH_BYTES];
  if (!section || section->flags & FV_SECTION_ENCRYPTED || section->coder || section->stored_bytes > MAX_NOTES_BYTES) return 0;
  if (!(*kept = malloc((size_t)section->stored_bytes + 1))) return fv_error_set(source->err, FV_ERR_NO_MEMORY, "out of memory");
  if (!read_at(source->fd, *kept, (size_t)section->stored_bytes, section->offset))
    return fv_error_set(source->err, FV_ERR_IO, "the file cannot be read, or became shorter while it was");
  fv_section_hash(*kept, (size_t)section->stored_bytes, digest); /* read a second time: it must still be what was verified */
  return memcmp(digest, section->digest, sizeof digest) == 0 ? 0 : fv_error_set(source->err, FV_ERR_IO, "the file changed while it was read");
}

void fv_envelope_notes_finish(FvEnvelopeNotes *notes) {
  for (int type = 0; type < FV_SECTION_TYPES; type++) free(notes->sections[type]);
  *notes = (FvEnvelopeNotes){0};
}

static int verify_open(Source *source, FvEnvelope *envelope, FvEnvelopeNotes *notes) {
  struct stat info;
  if (fstat(source->fd, &info) < 0 || !S_ISREG(info.st_mode)) return fv_error_set(source->err, FV_ERR_IO, "not a regular file");
  source->size = (uint64_t)info.st_size;
  source->scratch = malloc(FV_FORMAT_CHUNK_BYTES);
  int result = source->scratch ? verify(source, envelope) : fv_error_set(source->err, FV_ERR_NO_MEMORY, "out of memory");
  for (int type = FV_SECTION_PROVENANCE; result == 0 && type <= FV_SECTION_SCORES; type++)
    result = keep(source, envelope, (FvSectionType)type, &notes->sections[type]);
  free(source->scratch);
  return result;
}

int fv_envelope_verify_file(const char *path, FvEnvelope *envelope, FvEnvelopeNotes *notes, FvError *err) {
  Source source = {.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), .err = err};
  *notes = (FvEnvelopeNotes){0};
  if (source.fd < 0) return fv_error_set(err, FV_ERR_IO, "%s: %s", path, strerror(errno));
  int result = verify_open(&source, envelope, notes);
  close(source.fd);
  if (result == 0) return 0;
  fv_envelope_notes_finish(notes);
  fv_error_prefix(err, "%.256s", path);
  return result;
}
