"""openapi.yaml to the SDKs and the server's edge."""
