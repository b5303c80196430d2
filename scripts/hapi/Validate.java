import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.validation.FhirValidator;
import ca.uhn.fhir.validation.SingleValidationMessage;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.PrePopulatedValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.SnapshotGeneratingValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;
import org.hl7.fhir.instance.model.api.IBaseResource;

/**
 * Validates R4 resources offline against R4 and the definitions in a folder.
 * Arguments: the folder of definitions, then files. One line a message, fields with tabs between:
 * file, severity, message id, place, text. Ends with 1 if anything is an error.
 */
public final class Validate {
  public static void main(String[] arguments) throws Exception {
    FhirContext context = FhirContext.forR4();
    PrePopulatedValidationSupport own = new PrePopulatedValidationSupport(context);
    try (var files = Files.list(Path.of(arguments[0]))) {
      for (Path file : files.sorted().toList()) {
        own.addResource(parse(context, file));
      }
    }
    ValidationSupportChain support =
        new ValidationSupportChain(
            new DefaultProfileValidationSupport(context),
            own,
            new SnapshotGeneratingValidationSupport(context),
            new CommonCodeSystemsTerminologyService(context),
            new InMemoryTerminologyServerValidationSupport(context));
    FhirInstanceValidator rules = new FhirInstanceValidator(support);
    rules.setAnyExtensionsAllowed(false);
    FhirValidator validator = context.newValidator().registerValidatorModule(rules);
    boolean wrong = false;
    for (int place = 1; place < arguments.length; place++) {
      Path file = Path.of(arguments[place]);
      var result = validator.validateWithResult(Files.readString(file, StandardCharsets.UTF_8));
      wrong |= !result.isSuccessful();
      for (SingleValidationMessage message : result.getMessages()) {
        String text = message.getMessage().replaceAll("[\\t\\r\\n]+", " ");
        System.out.println(
            String.join(
                "\t",
                file.getFileName().toString(),
                message.getSeverity().getCode(),
                String.valueOf(message.getMessageId()),
                String.valueOf(message.getLocationString()),
                text));
      }
    }
    System.exit(wrong ? 1 : 0);
  }

  private static IBaseResource parse(FhirContext context, Path file) throws Exception {
    return context.newJsonParser().parseResource(Files.readString(file, StandardCharsets.UTF_8));
  }

  private Validate() {}
}
