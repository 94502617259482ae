{{/* A container that runs the `lumenmill` command: (list root arguments). tini, since Python as process 1 would ignore
     SIGTERM. */}}
{{- define "lumenmill.callerContainer" -}}
{{- $root := index . 0 -}}
{{- $config := dict "root" $root "tls" "client" "needs" (list "caller" "token") -}}
image: {{ include "lumenmill.image" (list $root "orchestrator") }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
command: {{ concat (list "tini" "--" "lumenmill") (index . 1) | toJson }}
env:
  {{- include "lumenmill.env" $config | trim | nindent 2 }}
  - {name: LUMENMILL_ADDRESS, value: "{{ include "lumenmill.host" (list $root "orchestrator") }}:50051"}
resources:
  {{- toYaml $root.Values.storeGc.resources | nindent 2 }}
securityContext:
  {{- include "lumenmill.containerSecurity" $root | nindent 2 }}
{{- end -}}

{{- define "lumenmill.callerVolumes" -}}
{{- include "lumenmill.configVolume" (dict "root" . "tls" "client" "needs" (list "caller" "token")) }}
{{ include "lumenmill.tmpVolume" 64 }}
{{- end -}}
