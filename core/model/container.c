/* Models from and to .fovea files. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fovea/version.h>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "container/envelope.h"
#include "container/graph_code.h"
#include "container/hash.h"
#include "container/keys.h"
#include "ir/op.h"
#include "model/model_internal.h"
#include "vision/describe.h"

int fv_signature_policy_from_name(const char *name) {
  static const char *const names[] = {[FV_SIGNATURE_WARN] = "warn", [FV_SIGNATURE_OFF] = "off", [FV_SIGNATURE_REQUIRE] = "require"};
  for (int i = 0; name && i < 3; i++)
    if (strcmp(name, names[i]) == 0) return i;
  return -1;
}

/* --- reading --- */

static int apply_policy(const FvModel *model, const FvEnvelope *envelope, const FvModelParams *params, FvError *err) {
  FvSignaturePolicy policy = params ? params->signature : FV_SIGNATURE_WARN;
  char name[FV_KEY_NAME_SIZE];
  if (policy == FV_SIGNATURE_OFF || (envelope->is_signed && fv_key_is_trusted(envelope->signer, params ? params->trusted_keys : NULL, name))) return 0;
  FvHexText hex = fv_hex(envelope->signer);
  if (policy == FV_SIGNATURE_REQUIRE && !envelope->is_signed)
    return fv_error_set(err, FV_ERR_CONFIG, "the file is not signed, and a signature is required; sign it with fovea sign");
  if (policy == FV_SIGNATURE_REQUIRE)
    return fv_error_set(err, FV_ERR_CONFIG, "the file is signed with the key %.16s…, which is not among the trusted ones; put its .pub file there", hex.text);
  if (envelope->is_signed)
    fv_log(FV_LOG_WARNING, "%s: signed with the key %.16s…, which is not among the trusted ones", model->path, hex.text);
  else
    fv_log(FV_LOG_WARNING, "%s: not signed", model->path);
  return 0;
}

/* Weights that lie in the file as they are stay there, when the model keeps the file; decrypted ones stay where they were decrypted to. */
static int read_graph(FvModel *model, const FvEnvelope *envelope, const void *data, bool *borrows, FvError *err) {
  FvPlain graph, weights = {0};
  int result = fv_section_open(envelope, data, FV_SECTION_GRAPH, false, &graph, err);
  if (result == 0) result = fv_section_open(envelope, data, FV_SECTION_WEIGHTS, false, &weights, err);
  FvWeightBytes bytes = {weights.data, weights.size, .stays = weights.owned || !model->from_memory};
  if (result == 0) result = fv_graph_decode(graph.data, graph.size, bytes, &model->file, borrows, err);
  if (result == 0 && *borrows && weights.owned) {
    model->bytes = weights.owned;
    weights.owned = NULL;
    *borrows = false;
  }
  free(graph.owned);
  free(weights.owned);
  return result;
}

/* It goes where the description of an ONNX file travels: among the metadata. */
static int read_description(FvModel *model, const FvEnvelope *envelope, const void *data, FvError *err) {
  FvPlain plain;
  FvArena *arena = &model->file.graph->arena;
  int result = fv_section_open(envelope, data, FV_SECTION_DESCRIPTION, true, &plain, err);
  if (result < 0 || !plain.data) return result;
  if (plain.size > (size_t)FV_MAX_CONFIG_BYTES || memchr(plain.data, 0, plain.size))
    result = fv_error_set(err, FV_ERR_FORMAT, "section 'description' is not text of at most %lld bytes", (long long)FV_MAX_CONFIG_BYTES);
  char *text = result == 0 ? fv_arena_strndup(arena, (const char *)plain.data, plain.size) : NULL;
  FvModelPair *pair = text ? fv_arena_object(arena, sizeof *pair) : NULL;
  if (result == 0 && !pair) result = fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  if (result == 0) {
    *pair = (FvModelPair){"fovea.description", text};
    model->file.metadata = pair;
    model->file.metadata_count = 1;
  }
  free(plain.owned);
  return result;
}

int fv_model_read_container(FvModel *model, const void *data, size_t size, const FvModelParams *params, bool *borrows, FvError *err) {
  FvEnvelope envelope;
  *borrows = false;
  int result = fv_envelope_verify(data, size, &envelope, err);
  if (result == 0) result = apply_policy(model, &envelope, params, err);
  if (result == 0) result = read_graph(model, &envelope, data, borrows, err);
  return result == 0 ? read_description(model, &envelope, data, err) : result;
}

/* --- writing --- */

const char *fv_entropy_coder(int index) {
  for (int id = 0; id < FV_CODER_COUNT; id++)
    if (fv_coder_name(id) && index-- == 0) return fv_coder_name(id);
  return NULL;
}

enum { SHARED_BYTES = 1 }; /* equal constants of this size become one: zero points. Scales are written in fewer bytes each by itself */
#define DECODE_NS_EACH 1.3   /* of an element of the weights */
#define DECODE_NS_TEXT 500e3 /* of graph and description each: they are small, and half of their bytes is worth it */

static double decode_limit(const FvModel *model, const FvContainerParams *params) {
  double allowed = params->decode_ms * 1e6;
  return allowed ? fmax(allowed, 0) : DECODE_NS_EACH * (double)model->file.parameters;
}

static int find_coders(const char *name, double decode_ns, FvCoderLimits *limits, FvError *err) {
  bool any = !name || strcmp(name, "auto") == 0;
  *limits = (FvCoderLimits){.max_decode_ns = any ? decode_ns : 0};
  for (int id = 0; id < FV_CODER_COUNT; id++)
    if (fv_coder_name(id) && (any || strcmp(fv_coder_name(id), name) == 0)) limits->allowed |= 1u << id;
  return limits->allowed ? 0 : fv_error_set(err, FV_ERR_INVALID, "there is no entropy coder '%.32s'", name);
}

typedef struct Saving {
  const FvModel *model;
  const FvContainerParams *params;
  FvBytes graph, weights, provenance, accuracy, calibration, scores;
  char *description;
  size_t description_bytes;
  FvCoderLimits coders, text_coders; /* of the weights; of graph and description each */
  FvError *err;
} Saving;

static int save_graph(Saving *saving) {
  const FvModel *model = saving->model;
  FvGraph *graph = fv_graph_clone(model->prepared ? model->prepared : model->file.graph);
  if (!graph) return fv_error_set(saving->err, FV_ERR_NO_MEMORY, "out of memory");
  FvGraphHead head = {model->file.producer, model->file.opset};
  int result = fv_graph_share_constants(graph, SHARED_BYTES) ? 0 : fv_error_set(saving->err, FV_ERR_NO_MEMORY, "out of memory");
  if (result == 0) result = fv_graph_encode(graph, &head, saving->params->weights, &saving->coders, &saving->graph, &saving->weights, saving->err);
  fv_graph_destroy(&graph);
  return result;
}

/* The file that the model came from, so that one can tell later. NULL when it is not there any more, or never was a file. */
static char *hash_source(const FvModel *model, FvHexText *hex) {
  void *data;
  size_t size;
  uint8_t digest[FV_FORMAT_HASH_BYTES];
  if (model->from_memory || fv_file_read(model->path, FV_MAX_MODEL_BYTES, &data, &size, NULL) < 0) return NULL;
  crypto_generichash_blake2b(digest, sizeof digest, data, size, NULL, 0);
  free(data);
  *hex = fv_hex(digest);
  return hex->text;
}

/* What the weights are: integers show in the graph, f32 that became binary16 does not. */
static const char *weights_word(const Saving *saving) {
  const FvGraph *graph = saving->model->prepared ? saving->model->prepared : saving->model->file.graph;
  for (int i = 0; i < graph->node_count; i++) {
    const FvNode *node = graph->nodes[i];
    if (node->op->kind == FV_OP_DEQUANTIZE && node->inputs[0]->constant && node->inputs[0]->constant->dtype == FV_DTYPE_I8) return "integers";
  }
  return saving->params->weights == FV_WEIGHTS_F16 ? "fp16" : "fp32";
}

static int save_provenance(Saving *saving) {
  const FvModel *model = saving->model;
  const char *slash = strrchr(model->path, '/');
  char bytes[32], source[512], command[FV_MAX_NOTE_BYTES + 1];
  FvHexText hex;
  FvNote notes[8];
  int count = 0;
  snprintf(bytes, sizeof bytes, "%lld", (long long)model->file_bytes);
  snprintf(source, sizeof source, "%s", slash ? slash + 1 : model->path);
  snprintf(command, sizeof command, "%s", saving->params->command ? saving->params->command : "");
  fv_text_clean(source);
  fv_text_clean(command);
  notes[count++] = (FvNote){"source", source};
  notes[count++] = (FvNote){"source-bytes", bytes};
  if (hash_source(model, &hex)) notes[count++] = (FvNote){"source-blake2b", hex.text};
  notes[count++] = (FvNote){"tool", "fovea " FV_VERSION};
  if (*command) notes[count++] = (FvNote){"command", command};
  notes[count++] = (FvNote){"weights", weights_word(saving)};
  fv_notes_write(&saving->provenance, notes, count);
  return 0;
}

static int save_notes(const FvNote *notes, int count, const char *what, FvBytes *bytes, FvError *err) {
  int result = fv_notes_check(notes, count, what, err);
  if (result == 0 && count) fv_notes_write(bytes, notes, count);
  return result;
}

/* What was found while the model was made. */
static int save_findings(Saving *saving) {
  const FvContainerParams *params = saving->params;
  int result = save_notes(params->accuracy, params->accuracy_count, "the accuracy record", &saving->accuracy, saving->err);
  if (result == 0) result = save_notes(params->calibration, params->calibration_count, "the calibration summary", &saving->calibration, saving->err);
  if (result == 0) result = fv_scores_check(params->scores, params->score_count, saving->err);
  if (result == 0 && params->score_count) fv_scores_write(&saving->scores, params->scores, params->score_count);
  return result;
}

static int save_sections(const Saving *saving, const char *path) {
  FvDraft drafts[FV_FORMAT_MAX_SECTIONS];
  int count = 0;
  const FvCoderLimits plain = {.allowed = 1u << FV_CODER_NONE}; /* read without more memory than a chunk */
  unsigned flags = saving->params->encrypt ? FV_SECTION_ENCRYPTED : 0;
  if (saving->graph.failed || saving->weights.failed || saving->provenance.failed || saving->accuracy.failed || saving->calibration.failed ||
      saving->scores.failed)
    return fv_error_set(saving->err, FV_ERR_NO_MEMORY, "out of memory");
  drafts[count++] = (FvDraft){FV_SECTION_GRAPH, flags, saving->graph.data, saving->graph.size, saving->text_coders};
  drafts[count++] = (FvDraft){FV_SECTION_WEIGHTS, flags, saving->weights.data, saving->weights.size, plain};
  if (saving->description) drafts[count++] = (FvDraft){FV_SECTION_DESCRIPTION, flags, saving->description, saving->description_bytes, saving->text_coders};
  drafts[count++] = (FvDraft){FV_SECTION_PROVENANCE, 0, saving->provenance.data, saving->provenance.size, plain};
  if (saving->accuracy.size) drafts[count++] = (FvDraft){FV_SECTION_ACCURACY, 0, saving->accuracy.data, saving->accuracy.size, plain};
  if (saving->calibration.size) drafts[count++] = (FvDraft){FV_SECTION_CALIBRATION, 0, saving->calibration.data, saving->calibration.size, plain};
  if (saving->scores.size) drafts[count++] = (FvDraft){FV_SECTION_SCORES, 0, saving->scores.data, saving->scores.size, plain};
  return fv_envelope_write(path, drafts, count, saving->params->sign_key, saving->err);
}

int fv_container_write(const FvModel *model, const char *path, const FvContainerParams *params, FvError *err) {
  static const FvContainerParams defaults;
  Saving saving = {.model = model, .params = params ? params : &defaults, .err = err};
  if (!model || !path) return fv_error_set(err, FV_ERR_INVALID, "a model and a path are needed");
  int result = fv_sodium_ready(err);
  if (result == 0) result = find_coders(saving.params->entropy, decode_limit(model, saving.params), &saving.coders, err);
  if (result == 0) result = find_coders(saving.params->entropy, DECODE_NS_TEXT, &saving.text_coders, err);
  if (result == 0) result = save_graph(&saving);
  if (result == 0 && model->description.family != FV_FAMILY_NONE)
    result = fv_description_write(&model->description, &saving.description, &saving.description_bytes, err);
  if (result == 0) result = save_provenance(&saving);
  if (result == 0) result = save_findings(&saving);
  if (result == 0) result = save_sections(&saving, path);
  fv_bytes_finish(&saving.graph);
  fv_bytes_finish(&saving.weights);
  fv_bytes_finish(&saving.provenance);
  fv_bytes_finish(&saving.accuracy);
  fv_bytes_finish(&saving.calibration);
  fv_bytes_finish(&saving.scores);
  free(saving.description);
  return result;
}

/* --- telling --- */

bool fv_container_is(const char *path) {
  char start[8];
  FILE *file = fopen(path, "rbe");
  if (!file) return false;
  size_t size = fread(start, 1, sizeof start, file);
  fclose(file);
  return fv_envelope_is(start, size);
}

static void describe_sections(const FvEnvelope *envelope, FvContainerInfo *info) {
  info->section_count = envelope->section_count;
  for (int i = 0; i < envelope->section_count; i++) {
    const FvSection *section = &envelope->sections[i];
    info->sections[i] = (FvSectionInfo){.name = fv_section_name(section->type), .coder = fv_coder_name((int)section->coder) ? fv_coder_name((int)section->coder) : "unknown",
                                        .encrypted = section->flags & FV_SECTION_ENCRYPTED, .stored_bytes = (int64_t)section->stored_bytes,
                                        .decoded_bytes = (int64_t)section->decoded_bytes};
  }
}

static int describe_notes(const FvEnvelope *envelope, const FvEnvelopeNotes *kept, FvSectionType type, FvNote **notes, int *count, FvError *err) {
  const FvSection *section = fv_envelope_find(envelope, type);
  return section && kept->sections[type] ? fv_notes_read(kept->sections[type], (size_t)section->stored_bytes, fv_section_name(type), notes, count, err) : 0;
}

static int describe_findings(const FvEnvelope *envelope, const FvEnvelopeNotes *kept, FvContainerInfo *info, FvError *err) {
  const FvSection *scores = fv_envelope_find(envelope, FV_SECTION_SCORES);
  int result = describe_notes(envelope, kept, FV_SECTION_PROVENANCE, &info->provenance, &info->provenance_count, err);
  if (result == 0) result = describe_notes(envelope, kept, FV_SECTION_ACCURACY, &info->accuracy, &info->accuracy_count, err);
  if (result == 0) result = describe_notes(envelope, kept, FV_SECTION_CALIBRATION, &info->calibration, &info->calibration_count, err);
  if (result == 0 && scores && kept->sections[FV_SECTION_SCORES])
    result = fv_scores_read(kept->sections[FV_SECTION_SCORES], (size_t)scores->stored_bytes, &info->scores, &info->score_count, err);
  return result;
}

int fv_container_verify(const char *path, const char *trusted_keys, FvContainerInfo *info, FvError *err) {
  FvEnvelope envelope;
  FvEnvelopeNotes notes;
  if (!path || !info) return fv_error_set(err, FV_ERR_INVALID, "a path and a place for the information are needed");
  *info = (FvContainerInfo){0};
  int result = fv_envelope_verify_file(path, &envelope, &notes, err);
  if (result < 0) return result;
  info->file_bytes = (int64_t)envelope.file_bytes;
  if (envelope.is_signed) {
    memcpy(info->signer, fv_hex(envelope.signer).text, sizeof info->signer);
    info->signature = fv_key_is_trusted(envelope.signer, trusted_keys, info->signer_name) ? FV_SIGNATURE_TRUSTED : FV_SIGNATURE_UNTRUSTED;
    if (info->signature == FV_SIGNATURE_UNTRUSTED) info->signer_name[0] = '\0';
  }
  describe_sections(&envelope, info);
  result = describe_findings(&envelope, &notes, info, err);
  fv_envelope_notes_finish(&notes);
  if (result < 0) {
    fv_error_prefix(err, "%.256s", path);
    fv_container_info_finish(info);
  }
  return result;
}

void fv_container_info_finish(FvContainerInfo *info) {
  free(info->provenance);
  free(info->accuracy);
  free(info->calibration);
  free(info->scores);
  *info = (FvContainerInfo){0};
}
