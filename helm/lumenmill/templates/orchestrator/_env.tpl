{{/* Environment of the orchestrator, besides that of every process. */}}
{{- define "lumenmill.orchestratorEnv" -}}
{{- $fleet := .Values.fleet -}}
- {name: LUMENMILL_MODELS, value: /etc/lumenmill/models.yaml}
- name: LUMENMILL_EXECUTOR_ID
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- {name: LUMENMILL_DRAIN_S, value: {{ int .Values.orchestrator.drainS | quote }}}
{{- /* Four fifths of /tmp, in bytes: exports are assembled there too. */}}
- {name: LUMENMILL_MAX_UPLOAD_BYTES, value: {{ div (mul (int .Values.orchestrator.tmpSizeMi) 1048576 4) 5 | quote }}}
{{- if $fleet.enabled }}
- name: LUMENMILL_KUBERNETES_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- {name: LUMENMILL_KUBERNETES_RELEASE, value: {{ .Release.Name }}}
- {name: LUMENMILL_GPU_RESOURCE, value: {{ .Values.gpu.resourceName | quote }}}
- {name: LUMENMILL_GPU_TYPE_LABEL, value: {{ .Values.gpu.typeLabel | quote }}}
{{- end }}
{{- if eq .Values.scaling.by "keda" }}
- {name: LUMENMILL_SCALER_ADDRESS, value: "0.0.0.0:50053"}
{{- end }}
{{- if .Values.exports.asJobs }}
- {name: LUMENMILL_EXPORT_JOB_TEMPLATE, value: /etc/lumenmill/export-job.yaml}
{{- end }}
{{- with .Values.orchestrator.env }}
{{ toYaml . }}
{{- end }}
{{- end -}}
